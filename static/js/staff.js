/* What a staff page starts: its live pieces, and nothing of a shopper's. */

import { Live } from "./live.js";
import { showStatus } from "./messages.js";
import { socketUrl } from "./page.js";
import { apply, forget, isPersonal, shown } from "./topics.js";

const show = (item) => {
  apply(item);
  document.dispatchEvent(new CustomEvent("live:item", { detail: item }));
};
export const live = new Live(socketUrl(), shown, show, forget, isPersonal);
showStatus(live);
// Signed out, or the rights are gone: the server knows what may be seen now.
live.addEventListener("dismissed", () => setTimeout(() => location.reload(), 1_000));

live.start();

/* The script of staff pages: live topics, without the basket and search. */

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
// The user was signed out, or has lost permissions: the server says what they may see.
live.addEventListener("dismissed", () => setTimeout(() => location.reload(), 1_000));

live.start();

/* The script of every page of the shop. */

import { enhanceBasket } from "./basket.js";
import { Live } from "./live.js";
import { showMessage, showStatus } from "./messages.js";
import { becomeAnother, socketUrl, visitor } from "./page.js";
import { suggest, tidy } from "./search.js";
import { apply, forget, isPersonal, shown } from "./topics.js";

const show = (item) => {
  apply(item);
  document.dispatchEvent(new CustomEvent("live:item", { detail: item }));
};
const live = new Live(socketUrl(), shown, show, forget, isPersonal);

showStatus(live);

// A socket keeps the visitor it was opened for. When the visitor gets a session, or signs
// in or out in one tab, the sockets of all tabs must be opened again.
const { announce, follow } = visitor(() => live.reconnect());

enhanceBasket(
  (item) => live.take(item),
  () => {
    announce();
    live.reconnect();
  },
);

// In the tab that signs in or out, the response with the new cookie may not have arrived.
// A request with the old cookie would replace the new one, so wait for it.
const COOKIE_MS = 1_000;

live.addEventListener("dismissed", () => {
  setTimeout(async () => {
    try {
      if (await becomeAnother()) {
        showMessage("info", "signedOut");
      }
    } catch (error) {
      console.warn("The page is not renewed:", error);
    }
    live.reconnect();
  }, COOKIE_MS * (1 + Math.random()));
});

// A passkey was not used: somebody closed the browser's prompt, or there is no passkey.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  showMessage("error", "passkey");
});

window.addEventListener("offline", () => live.reconnectLater());
document.addEventListener("scroll", () => live.refresh(), { passive: true });

live.start(follow);

document.querySelectorAll("form[data-suggest]").forEach(suggest);
document.querySelectorAll("form[data-tidy]").forEach(tidy);

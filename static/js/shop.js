/* What every page starts. */

import { enhanceBasket } from "./basket.js";
import { Live } from "./live.js";
import { showMessages, showStatus } from "./messages.js";
import { becomeAnother, socketUrl, visitor } from "./page.js";
import { suggest, tidy } from "./search.js";
import { apply, forget, isPersonal, shown } from "./topics.js";

const live = new Live(socketUrl(), shown, apply, forget, isPersonal);

showStatus(live);

// A socket keeps the identity it was opened with. When the visitor gets a session or
// signs in or out in one tab, the other tabs' sockets must be opened anew.
const { announce, follow } = visitor(() => live.reconnect());

enhanceBasket(
  (item) => live.take(item),
  () => {
    announce();
    live.reconnect();
  },
);

// In the tab that signs in or out the answer with the new cookie may still be under
// way: a page asked for with the old one would take the new one away again.
const COOKIE_MS = 1_000;

live.addEventListener("dismissed", () => {
  setTimeout(async () => {
    try {
      if (await becomeAnother()) {
        showMessages([{ level: "info", text: document.getElementById("messages").dataset.signedOut }]);
      }
    } catch (error) {
      console.warn("The page is not renewed:", error);
    }
    live.reconnect();
  }, COOKIE_MS * (1 + Math.random()));
});

// Passkeys: the browser's own prompt was closed, or the device has none.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  showMessages([{ level: "error", text: document.getElementById("messages").dataset.passkey }]);
});

window.addEventListener("offline", () => live.reconnectLater());
document.addEventListener("scroll", () => live.refresh(), { passive: true });

live.start(follow);

document.querySelectorAll("form[data-suggest]").forEach(suggest);
document.querySelectorAll("form[data-tidy]").forEach(tidy);

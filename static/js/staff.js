/* What a staff page starts: its live pieces, and nothing of a shopper's. */

import { Live } from "./live.js";
import { apply, shown } from "./topics.js";

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const live = new Live(`${scheme}//${location.host}/ws/`, shown, apply);

live.addEventListener("status", ({ detail }) => {
  document.documentElement.dataset.live = detail.isUp ? "up" : "down";
});
// Signed out, or the rights are gone: the server knows what may be seen now.
live.addEventListener("dismissed", () => setTimeout(() => location.reload(), 1_000));

document.addEventListener("visibilitychange", () => !document.hidden && live.wake());
window.addEventListener("online", () => live.wake());
window.addEventListener("pageshow", (event) => event.persisted && live.wake());
window.addEventListener("pagehide", () => live.drop());

live.connect();

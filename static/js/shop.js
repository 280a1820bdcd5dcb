/* What every page starts. */

import { enhance } from "./forms.js";
import { Live } from "./live.js";
import { renew } from "./page.js";
import { apply, shown } from "./topics.js";

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const live = new Live(`${scheme}//${location.host}/ws/`, shown, apply);

const notice = document.getElementById("live-status");
live.addEventListener("status", ({ detail }) => {
  notice.hidden = detail.isUp;
  document.documentElement.dataset.live = detail.isUp ? "up" : "down";
});

// A socket keeps the identity it was opened with. When the visitor gets a session or
// signs in or out in one tab, the other tabs' sockets must be opened anew.
const tabs = new BroadcastChannel("shop");
const page = document.documentElement.dataset;
tabs.onmessage = ({ data }) => {
  if (data.viewer !== page.viewer) {
    page.viewer = data.viewer;
    live.reconnect();
    renew().catch((error) => console.warn("This page is not renewed:", error));
  } else if (data.isNew) {
    live.reconnect();
  }
};
tabs.postMessage({ viewer: page.viewer });

enhance(
  (item) => live.take(item),
  () => {
    live.reconnect();
    tabs.postMessage({ viewer: page.viewer, isNew: true });
  },
);

document.addEventListener("visibilitychange", () => !document.hidden && live.wake());
document.addEventListener("resume", () => live.wake());
window.addEventListener("online", () => live.wake());
window.addEventListener("offline", () => live.reconnectLater());
window.addEventListener("pageshow", (event) => event.persisted && live.wake());
window.addEventListener("pagehide", () => live.drop());
document.addEventListener("scroll", () => live.refresh(), { passive: true });

live.connect();

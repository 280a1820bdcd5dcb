/* What every page starts. */

import { enhance } from "./forms.js";
import { Live } from "./live.js";
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
const { viewer } = document.documentElement.dataset;
tabs.onmessage = ({ data }) => {
  if (data.viewer !== viewer || data.isNew) {
    live.reconnect();
  }
};
tabs.postMessage({ viewer });

enhance(
  (item) => live.take(item),
  () => {
    live.reconnect();
    tabs.postMessage({ viewer, isNew: true });
  },
);

document.addEventListener("visibilitychange", () => !document.hidden && live.wake());
window.addEventListener("online", () => live.wake());
window.addEventListener("pageshow", (event) => event.persisted && live.wake());
window.addEventListener("pagehide", () => live.drop());
document.addEventListener("scrollend", () => live.refresh());

live.connect();

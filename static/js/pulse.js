/* The pulse page. The topic "pulse" is pushed every two seconds. A paused page does not
 * subscribe to it. */

import { live } from "./staff.js";

const SILENT_MS = 15_000; // then the page says that the numbers are old
const CHECK_MS = 2_000;

const notice = document.getElementById("pulse-silent");
const button = document.querySelector("[data-pause]");
let receivedAt = Date.now();

const isPaused = () => button.getAttribute("aria-pressed") === "true";
const restartClock = () => {
  receivedAt = Date.now();
};

function pause(isPause) {
  button.setAttribute("aria-pressed", String(isPause));
  const root = document.getElementById("pulse");
  if (isPause) {
    delete root.dataset.topic;
  } else {
    root.dataset.topic = "pulse";
  }
  restartClock();
  live.refresh();
}

document.addEventListener("live:item", ({ detail: [name] }) => name === "pulse" && restartClock());
document.addEventListener("visibilitychange", restartClock);
button.addEventListener("click", () => pause(!isPaused()));

setInterval(() => {
  if (!document.hidden && !isPaused()) {
    notice.hidden = Date.now() - receivedAt < SILENT_MS;
  }
}, CHECK_MS);

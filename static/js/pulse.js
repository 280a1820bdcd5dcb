/* The pulse page. The topic "pulse" is pushed every two seconds, the same for all who have
 * the page open. A page that is paused does not ask for it. */

import { live } from "./staff.js";

const SILENT_MS = 15_000; // then the numbers are called old
const LOOK_MS = 2_000;

const silent = document.getElementById("pulse-silent");
const button = document.querySelector("[data-pause]");
let heard = Date.now();

const isPaused = () => button.getAttribute("aria-pressed") === "true";
const beginAnew = () => {
  heard = Date.now(); // it was nobody's fault
};

function pause(isPause) {
  button.setAttribute("aria-pressed", String(isPause));
  const root = document.getElementById("pulse");
  if (isPause) {
    delete root.dataset.topic;
  } else {
    root.dataset.topic = "pulse";
  }
  beginAnew();
  live.refresh();
}

document.addEventListener("live:item", ({ detail: [name] }) => name === "pulse" && beginAnew());
document.addEventListener("visibilitychange", beginAnew);
button.addEventListener("click", () => pause(!isPaused()));

setInterval(() => {
  if (!document.hidden && !isPaused()) {
    silent.hidden = Date.now() - heard < SILENT_MS;
  }
}, LOOK_MS);

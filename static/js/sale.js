/* Counts down to the end of a reduction on a product's page. It uses the server's time, as
 * the visitor's clock may be wrong. Without this script the page shows when it ends. */

import { spelled } from "./clock.js";

const TICK_MS = 250;
const DAY_S = 86_400; // a longer time is not counted down

let ahead = null; // the server's clock minus ours, in milliseconds
let isAsking = false;

/** Ask for the server's time. Its answers name the second. */
async function askForTime() {
  isAsking = true;
  const sentAt = Date.now();
  const { headers } = await fetch(location.href, { method: "HEAD", cache: "no-store" });
  const date = Date.parse(headers.get("Date"));
  if (date) {
    ahead = date + 500 - (sentAt + Date.now()) / 2;
  }
}

function tick() {
  // Look for it each time: a push may have replaced it.
  const place = document.querySelector(".detail__stock [data-until]");
  if (!place) {
    return;
  }
  if (ahead === null) {
    if (!isAsking) {
      askForTime().catch((error) => console.warn("There is no countdown:", error));
    }
    return;
  }
  const left = Math.ceil((Date.parse(place.dataset.until) - Date.now() - ahead) / 1000);
  const clock = place.querySelector(".stock__clock");
  clock.hidden = left <= 0 || left > DAY_S;
  if (!clock.hidden) {
    clock.textContent = spelled(left);
  }
}

tick();
setInterval(tick, TICK_MS);

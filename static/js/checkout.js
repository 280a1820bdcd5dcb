/* The checkout's clock: counts down how long the basket is reserved. It uses the server's
 * time, as the visitor's clock may be wrong. Without this script the page shows when the
 * reservation ends. */

import { fetchPage } from "./requests.js";

const TICK_MS = 250;

const place = document.querySelector("[data-now]");
const { responseStart } = performance.getEntriesByType("navigation")[0];

// The server's clock minus ours: when it wrote the page, minus when the page arrived.
let ahead = place && Date.parse(place.dataset.now) - (performance.timeOrigin + responseStart);

const language = document.documentElement.lang;
const hours = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" });

function tick() {
  // Look for it each time: a push may have replaced it.
  const hold = place.querySelector("[data-until]");
  if (!hold) {
    return;
  }
  const until = Date.parse(hold.dataset.until);
  const left = Math.ceil((until - Date.now() - ahead) / 1000);
  if (left > 0) {
    count(hold, until, left);
  } else {
    lapse(hold);
  }
}

function count(hold, until, left) {
  const clock = hold.querySelector(".hold__clock");
  const text = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  if (clock.textContent !== text) {
    clock.textContent = text;
    clock.classList.toggle("hold__clock--late", left <= 60);
  }
  if (clock.hidden) {
    clock.hidden = false;
    hold.querySelector("time").textContent = hours.format(until - ahead); // in our time
  }
}

/** Show that time is up; the server pushes the same in a moment. */
function lapse(hold) {
  hold.classList.replace("hold--held", "hold--over");
  hold.querySelector(".hold__held").hidden = true;
  hold.querySelector(".hold__over").hidden = false;
  delete hold.dataset.until;
}

/** Fetch the page, which reserves the basket again. What the visitor typed stays. */
async function reserveAgain() {
  const sentAt = Date.now();
  const { response, page } = await fetchPage(location.href);
  const newPlace = page.querySelector("[data-now]");
  if (!response.ok || !newPlace) {
    location.assign(location.href); // something is sold out: the page says what
    return;
  }
  ahead = Date.parse(newPlace.dataset.now) - (sentAt + Date.now()) / 2;
  place.replaceChildren(...newPlace.children);
  tick();
}

if (place) {
  tick();
  setInterval(tick, TICK_MS);
  place.addEventListener("click", (event) => {
    if (event.target.closest("[data-again]")) {
      event.preventDefault();
      reserveAgain().catch(() => location.assign(location.href));
    }
  });
}

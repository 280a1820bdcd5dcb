/* The checkout's clock: how long the things are reserved. It goes by the server's time,
 * whatever the time is here. Without it the page says until when. */

const TICK_MS = 250;
const PATIENCE_MS = 15_000;

const place = document.querySelector("[data-now]");
const { responseStart } = performance.getEntriesByType("navigation")[0];

// The server's clock minus ours, from when it wrote the page and when that arrived.
let ahead = place && Date.parse(place.dataset.now) - (performance.timeOrigin + responseStart);

const language = document.documentElement.lang;
const hours = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" });

function tick() {
  // A push may have put another in its place, so it is looked for each time.
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

/** Time is up; the server will say so too, in a moment. */
function lapse(hold) {
  hold.classList.replace("hold--held", "hold--over");
  hold.querySelector(".hold__held").hidden = true;
  hold.querySelector(".hold__over").hidden = false;
  delete hold.dataset.until;
}

/** Looking at the page reserves again. What is typed in it stays. */
async function again() {
  const asked = Date.now();
  const response = await fetch(location.href, { signal: AbortSignal.timeout(PATIENCE_MS) });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.querySelector("[data-now]");
  if (!response.ok || !fresh) {
    location.assign(location.href); // some of it is gone: the page says what
    return;
  }
  ahead = Date.parse(fresh.dataset.now) - (asked + Date.now()) / 2;
  place.replaceChildren(...fresh.children);
  tick();
}

if (place) {
  tick();
  setInterval(tick, TICK_MS);
  place.addEventListener("click", (event) => {
    if (event.target.closest("[data-again]")) {
      event.preventDefault();
      again().catch(() => location.assign(location.href));
    }
  });
}

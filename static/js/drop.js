/* The room of a drop. One frame for everybody says what is being served and what is left.
 * The page knows its own place, and computes from both how many people are ahead. It asks
 * the server only when its own ticket changes. */

import { spelled } from "./clock.js";
import { fetchPage } from "./requests.js";

const TICK_MS = 250;
const SPOKEN_MS = 15_000; // between two positions that are read out
const PLACES_PER_S = 400; // pages that ask for their place in a second, at the start
const LONGEST_SPREAD_MS = 15_000;
const PATIENCE_MS = 1_500; // for the step that gives a place to a new ticket
const DAY_S = 86_400; // a longer time is not counted down

const room = document.querySelector("[data-drop]");
const mine = document.getElementById("drop-mine");
const speaker = document.querySelector("[data-spoken]");
const clock = document.querySelector(".drop__clock");
const topic = `drop:${room.dataset.drop}`;

// The server's clock minus ours: its time is that at which the answer began.
const [navigation] = performance.getEntriesByType("navigation");
const answeredAt = Date.now() - performance.now() + (navigation?.responseStart ?? 0);
const ahead = Date.parse(room.dataset.now) - answeredAt;
const secondsTo = (time) => Math.ceil((Date.parse(time) - Date.now() - ahead) / 1000);

let isPlanned = document.querySelector(".room--planned") !== null;
let spokenAt = 0;
let timer = null;

const own = () => mine.querySelector("[data-state]").dataset;

/** Fetch what the server says of this visitor's ticket, after a while. */
function renew(delay) {
  timer ??= setTimeout(async () => {
    timer = null;
    try {
      const { response, page } = await fetchPage(room.dataset.mine);
      if (response.ok) {
        replace(page.querySelector("[data-state]"));
      }
    } catch (error) {
      console.warn("The ticket is not renewed:", error);
      renew(LONGEST_SPREAD_MS * Math.random());
    }
  }, delay);
}

function replace(section) {
  const before = own();
  const hadFocus = mine.contains(document.activeElement);
  mine.replaceChildren(section);
  if (hadFocus) {
    (mine.querySelector("a, button, input, select") ?? document.getElementById("main")).focus();
  }
  if (section.dataset.state === "admitted" && before.state !== "admitted") {
    say(speaker.dataset.turn);
  }
  wait();
}

/** Ask again while the ticket has no place, though the drop has begun. */
function wait() {
  const { state, place } = own();
  if (state === "waiting" && !place && !isPlanned) {
    renew(PATIENCE_MS * (1 + Math.random()));
  }
}

function say(text) {
  speaker.textContent = text;
  spokenAt = Date.now();
}

/** Show what a step means for this visitor. */
function follow(facts) {
  const hasBegun = isPlanned && facts.state !== "planned";
  isPlanned = facts.state === "planned";
  const line = mine.querySelector("[data-line]");
  const isOver = facts.state === "sold_out" || facts.state === "stopped";
  if (line && line.hidden !== isOver) {
    line.hidden = isOver;
    say(isOver ? speaker.dataset[facts.state === "stopped" ? "over" : "out"] : "");
  }
  const { state, place } = own();
  if (hasBegun && state === "waiting") {
    const people = facts.waiting + facts.admitted;
    renew(Math.min(LONGEST_SPREAD_MS, (people / PLACES_PER_S) * 1000) * Math.random());
  } else if (state === "waiting" && place) {
    show(facts, Number(place));
  } else if (state === "none" && facts.state === "stopped") {
    renew(LONGEST_SPREAD_MS * Math.random());
  }
}

function show(facts, place) {
  if (place <= facts.serving) {
    renew(0);
    return;
  }
  const people = place - 1 - facts.serving;
  mine.querySelector("[data-ahead]").textContent = people;
  const minutes = mine.querySelector("[data-minutes]");
  minutes.textContent = facts.pace ? Math.ceil((people + 1) / facts.pace) : "";
  minutes.closest("div").hidden = !facts.pace;
  mine.querySelector("[data-may-run-out]").hidden = facts.left === null || people < facts.left;
  if (Date.now() - spokenAt > SPOKEN_MS && !mine.querySelector("[data-line]").hidden) {
    say(`${speaker.dataset.ahead} ${people}`);
  }
}

function tick() {
  const left = secondsTo(room.dataset.starts);
  clock.hidden = !isPlanned || left <= 0 || left > DAY_S;
  clock.querySelector("[data-clock]").textContent = clock.hidden ? "" : spelled(left);
  const { state, ends } = own();
  const turn = mine.querySelector("[data-clock]");
  if (state === "admitted" && turn) {
    const rest = secondsTo(ends);
    turn.hidden = rest <= 0;
    turn.textContent = spelled(Math.max(0, rest));
    if (rest < -1) {
      renew(PATIENCE_MS * (1 + Math.random()));
    }
  }
}

document.addEventListener("live:item", ({ detail: [name, , facts] }) => {
  if (name === topic) {
    follow(facts);
  }
});
tick();
setInterval(tick, TICK_MS);
wait();

/* The staff's board and its orders' pages, live.
 *
 * The topic "board" pushes the cards of the orders that moved lately, the same for all
 * boards; the page applies its own filters to them, and adds up the counters. Where it
 * missed more than was pushed, or cannot know what comes next in a column, it fetches
 * its own inner part anew and takes from it what differs. Either goes by number and
 * version, so that what has the focus or an open form stays, and nothing that happened
 * while the connection was down is missed or told twice.
 */

import { show } from "./forms.js";
import { fetchPage, post } from "./requests.js";
import "./staff.js";

const PAUSE_MS = 400; // between two fetches: a rush of orders is no rush of requests
const RETRY_MS = 3_000;
const PUSH_MS = 2_000; // a change that is not pushed by then is fetched
const FILL_MS = 5_000; // before a column is filled up again, and up to twice that
const SOON_MS = 1_000; // or, where it is half empty
const AGE_MS = 10_000;
const SOUND = "board-sound"; // its place in localStorage: "on" once it was switched on
const LATE_S = 24 * 3600;

const board = () => document.getElementById("board");
const cards = () => [...document.querySelectorAll(".order[data-key]")];
const seen = new Set(cards().map((card) => card.dataset.key));
let clock = Date.now(); // when the server's clock was read, by this one
let since = board() && Date.parse(board().dataset.now);
const OLDEST_NEWS = (since ?? 0) - 60_000; // an older order that turns up is none

// --- Fetching it anew ---------------------------------------------------------------

let isFetching = false;
let isOutdated = false;

async function refresh() {
  isOutdated = true;
  if (isFetching || !board()) {
    return;
  }
  isFetching = true;
  let wait = PAUSE_MS;
  while (isOutdated) {
    isOutdated = false;
    try {
      take(await fragment());
      follow(); // what was pushed while the answer was under way
      wait = PAUSE_MS;
    } catch (error) {
      console.warn("The board is not renewed:", error);
      isOutdated = true;
      wait = RETRY_MS;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  isFetching = false;
}

async function fragment() {
  const address = new URL(location.href);
  address.hash = "";
  address.searchParams.set("fragment", "1");
  const { response, page } = await fetchPage(address);
  if (response.redirected || response.status === 403) {
    location.reload(); // signed out, or the rights are gone: the server says which
  }
  if (!response.ok) {
    throw new Error(`${response.status} ${response.statusText}`);
  }
  return page.getElementById("board");
}

document.addEventListener("live:item", ({ detail: [name, version, facts] }) => {
  if (name === "board") {
    pushed = { version, ...facts };
    follow();
  } else if (name === "orders") {
    expect(version);
  }
});

/** Fetch what is not pushed in a moment: by a process that knows no boards yet, say. */
function expect(version) {
  setTimeout(() => {
    if (version > shownVersion()) {
      refresh();
    }
  }, PUSH_MS);
}

// --- Taking what is pushed ------------------------------------------------------------

let pushed = null; // the last of it: {version, since, moved, counts, coming}
const shownVersion = () => Number(board()?.dataset.version ?? Infinity);

/** Take the last push, if it tells all that the page has missed. */
function follow() {
  const here = board();
  if (!pushed || pushed.version <= shownVersion()) {
    return;
  }
  if (pushed.since > shownVersion()) {
    refresh();
    return;
  }
  here.dataset.version = pushed.version;
  if (here.dataset.number) {
    followOrder(here.dataset);
  } else {
    takeMoves(here);
  }
}

/** An order's own page is more than its card. */
function followOrder(shown) {
  const [, version] = pushed.moved.find(([number]) => number === shown.number) ?? [];
  if (version > Number(shown.orderVersion)) {
    refresh();
  }
}

function takeMoves(here) {
  const focus = rememberFocus();
  const sections = sectionsOf(here);
  const whole = new Set(sections.filter((section) => countOf(section) === listOf(section).children.length));
  const root = document.querySelector('template[data-topic="board"]');
  const cards = [...document.importNode(root.content, true).children];
  const items = cards.map((card) => place(here, card, whole));
  tell(items.filter((item) => item && isNews(item)));
  sections.forEach((section) => extend(here, section, cards));
  sections.forEach((section) => recount(here, section, whole));
  focus();
  tellAges();
}

const sectionsOf = (root) => [...root.querySelectorAll("[data-column]")];
const listOf = (section) => section.querySelector("[data-list]");
const counterOf = (section) => section.querySelector("[data-count]");
const countOf = (section) => Number(counterOf(section).dataset.count);
const limitOf = (section) => Number(section.dataset.limit);

/** Put a card where it belongs. Out: the element that stands for the order now; none if
 * nothing was to be done, or the order is not among those shown. */
function place(here, card, whole) {
  const { key, version, in: column } = card.dataset;
  const then = byKey(key);
  if (then && Number(then.dataset.version) >= Number(version)) {
    return null;
  }
  const section = isAskedFor(here, card) && sectionsOf(here).find((one) => one.dataset.column === column);
  if (then && isBusy(then)) {
    markStale(then);
    return null;
  }
  if (!section || !isInReach(here, section, card, whole)) {
    then?.remove();
    return null;
  }
  limitToRights(here, card);
  const into = listOf(section);
  if (then) {
    card.classList.add(then.parentElement === into ? "is-touched" : "is-moved");
    then.remove();
  }
  into.insertBefore(card, nextTo(here, into, card));
  return card;
}

function limitToRights(here, card) {
  if (!("mayChange" in here.dataset)) {
    card.querySelector(".steps")?.remove();
  }
}

/** Add the cards that come next where some have left a long column: those behind the
 * last one that is shown. A board with filters, or the oldest first, has others. */
function extend(here, section, cards) {
  const { q, method, mine, oldest } = here.dataset;
  const coming = pushed.coming[section.dataset.column];
  if (!coming || q || method || mine || oldest || section.dataset.page) {
    return;
  }
  const list = listOf(section);
  const last = [...list.children].findLast((card) => card.dataset.version !== "-1");
  const index = coming.indexOf(last?.dataset.key);
  for (const key of index < 0 ? [] : coming.slice(index + 1)) {
    const card = cards.find((each) => each.dataset.key === key);
    if (!byKey(key)) {
      seen.add(key); // it is no news
      limitToRights(here, card);
      list.append(card);
    }
  }
}

/** The board's filters, as products/staff/board.py applies them. */
function isAskedFor(here, card) {
  const { q, method, mine } = here.dataset;
  const { key, email, method: paidBy, handler } = card.dataset;
  const asked = q.toLowerCase();
  const begins = (text) => text.toLowerCase().startsWith(asked);
  const isFound = begins(email) || (!q.includes("@") && begins(key));
  return (!q || isFound) && (!method || method === paidBy) && (!mine || mine === handler);
}

/** What the card stands in front of. */
function nextTo(here, into, card) {
  const isOldest = here.dataset.oldest !== "";
  const { rank } = card.dataset;
  return [...into.children].find((one) => one !== byKey(card.dataset.key) && one.dataset.rank > rank === isOldest) ?? null;
}

/** Whether it belongs among the cards shown, not before or after them. */
function isInReach(here, section, card, whole) {
  const into = listOf(section);
  const before = nextTo(here, into, card);
  const isFirst = before === into.firstElementChild;
  const isLast = before === null;
  return !(isFirst && section.dataset.page > 1) && (!isLast || whole.has(section));
}

/** A column's counter, and whether it must be filled up. */
function recount(here, section, whole) {
  const list = listOf(section);
  const limit = limitOf(section);
  const known = knownCount(here, section.dataset.column);
  if (known === null && !whole.has(section)) {
    fillUp(FILL_MS);
    return;
  }
  const count = known ?? list.children.length;
  for (const card of [...list.children].slice(limit).reverse()) {
    if (!isBusy(card) && !card.contains(document.activeElement)) {
      card.remove();
    }
  }
  const missing = count - list.children.length;
  tellCount(here, section, count, missing);
  const { page, pages } = section.dataset;
  const isPaged = pages > 1 || count > limit;
  if (page > 1 || (isPaged && page && Math.ceil(count / limit) !== Number(pages))) {
    fillUp(FILL_MS);
  } else if (missing > 0 && list.children.length < limit) {
    fillUp(list.children.length < limit / 2 ? SOON_MS : FILL_MS);
  } else if (missing < 0) {
    fillUp(FILL_MS);
  }
}

/** How many orders are in a column under the board's filters, if that was pushed. */
function knownCount(here, column) {
  const { q, method, mine } = here.dataset;
  if (q || !["pending", "paid", "packed", "shipped", "hold"].includes(column)) {
    return null;
  }
  return pushed.counts
    .filter(([name, paidBy, handler]) =>
      name === column && (!method || method === paidBy) && (!mine || mine === String(handler)))
    .reduce((sum, [, , , count]) => sum + count, 0);
}

function tellCount(here, section, count, missing) {
  const counter = counterOf(section);
  counter.dataset.count = counter.textContent = String(count);
  section.querySelector(".column__hint").hidden = count > 0;
  const more = section.querySelector(".column__more");
  more.hidden = missing < 1 || "page" in section.dataset;
  more.textContent = here.dataset.more.replace("%(count)s", missing);
}

let filling = null;
let fillsAt = 0;

/** Fetch what is not known, in a while: boards do so one after the other. */
function fillUp(ms) {
  const at = Date.now() + ms * (1 + Math.random());
  if (filling && fillsAt <= Date.now() + 2 * ms) {
    return;
  }
  clearTimeout(filling);
  fillsAt = at;
  filling = setTimeout(() => {
    filling = null;
    refresh();
  }, at - Date.now());
}

// --- Taking what differs ------------------------------------------------------------

function take(fresh) {
  const here = board();
  const focus = rememberFocus();
  here.dataset.version = fresh.dataset.version;
  if (fresh.dataset.orderVersion) {
    here.dataset.orderVersion = fresh.dataset.orderVersion;
  }
  since = Date.parse(fresh.dataset.now);
  clock = Date.now();
  for (const section of sectionsOf(fresh)) {
    if (!here.querySelector(`[data-column="${section.dataset.column}"]`)) {
      const empty = section.cloneNode(true);
      empty.querySelector("[data-list]").replaceChildren();
      here.append(document.adoptNode(empty));
    }
  }
  for (const { dataset } of sectionsOf(fresh)) {
    Object.assign(here.querySelector(`[data-column="${dataset.column}"]`).dataset, dataset);
  }
  for (const now of fresh.querySelectorAll("[data-swap]")) {
    const then = document.getElementById(now.id);
    if (then.innerHTML !== now.innerHTML && !then.contains(document.activeElement)) {
      then.innerHTML = now.innerHTML;
    }
  }
  takeItems(here, fresh);
  focus();
  tellAges();
}

function takeItems(here, fresh) {
  const old = new Map(itemsOf(here).map((item) => [item.dataset.key, item]));
  const kept = new Set(itemsOf(fresh).map((item) => item.dataset.key));
  if (pushed?.version > Number(fresh.dataset.version)) {
    pushed.moved.forEach(([number]) => kept.add(number)); // the push will say
  }
  for (const [key, item] of old) {
    if (!kept.has(key)) {
      if (isBusy(item)) markStale(item);
      else item.remove();
    }
  }
  const news = [];
  for (const list of fresh.querySelectorAll("[data-list]")) {
    const into = document.getElementById(list.id);
    let place = into.firstElementChild;
    for (const now of [...list.children]) {
      const then = old.get(now.dataset.key);
      const item = chosen(then, now, into);
      if (then === place) {
        place = item; // it may have taken the old one's place
      }
      if (item === place) {
        place = place.nextElementSibling;
      } else if (!(isBusy(item) && item.isConnected)) {
        into.insertBefore(item, place);
      }
      if (isNews(item)) {
        news.push(item);
      }
    }
  }
  tell(news);
}

const itemsOf = (root) => [...root.querySelectorAll("[data-list] > [data-key]")];

/** The element that stands for the item from now on: the old one while it says the
 * same, or while somebody works in it. */
function chosen(then, now, into) {
  if (then && Number(then.dataset.version) >= Number(now.dataset.version)) {
    return then;
  }
  if (then && isBusy(then)) {
    markStale(then);
    return then;
  }
  const item = document.adoptNode(now);
  if (then) {
    const moved = then.parentElement !== into;
    then.replaceWith(item);
    item.classList.add(moved ? "is-moved" : "is-touched");
  }
  return item;
}

/** Whether somebody has something open in it that must not go away under their hands. */
function isBusy(item) {
  const focused = document.activeElement;
  const types = item.contains(focused) && focused.matches("input, textarea");
  const typed = [...item.querySelectorAll("textarea, input:not([type=hidden])")];
  return types || item.querySelector("details[open]") !== null || typed.some((f) => f.value !== f.defaultValue);
}

function markStale(item) {
  const note = item.querySelector("[data-stale]");
  if (note) {
    note.hidden = false;
  }
  item.dataset.version = "-1";
}

// A form that was kept open is closed: now its order can be shown as it is.
document.addEventListener("toggle", ({ target }) => leave(target), true);
document.addEventListener("focusout", ({ target }) => setTimeout(() => leave(target)));

function leave(target) {
  const item = target.closest?.('[data-key][data-version="-1"]');
  if (item && !isBusy(item)) {
    refresh();
  }
}

/** Out: what gives the focus back to the same control of the same order, or to its
 * neighbour when the order has gone. */
function rememberFocus() {
  const focused = document.activeElement;
  const item = focused?.closest?.("#board [data-list] > [data-key]");
  if (!item) {
    return () => {};
  }
  const { key } = item.dataset;
  const verb = focused.closest("[data-move]")?.dataset.move;
  const list = item.parentElement;
  const index = [...list.children].indexOf(item);
  return () => {
    if (focused.isConnected && document.activeElement === focused && !next) {
      return;
    }
    const wanted = next ?? key;
    next = null;
    const same = byKey(wanted);
    if (!same) {
      focusCard(list.children[Math.min(index, list.children.length - 1)]);
    } else if (focused.isConnected && wanted === key) {
      focused.focus({ preventScroll: true });
    } else {
      const twin = wanted === key && same.querySelector(`[data-move="${verb}"] button`);
      if (twin) twin.focus({ preventScroll: true });
      else focusCard(same);
    }
  };
}

const byKey = (key) => board().querySelector(`[data-list] > [data-key="${CSS.escape(key)}"]`);

function focusCard(card) {
  (card?.querySelector("a, button") ?? document.getElementById("main")).focus();
  card?.scrollIntoView?.({ block: "nearest" });
}

// --- News: a sound, a number in the title, a sentence ---------------------------------

function isNews(item) {
  const { key, placed } = item.dataset;
  if (!placed || seen.has(key)) {
    return false;
  }
  seen.add(key);
  return Date.parse(placed) > OLDEST_NEWS;
}

function tell(news) {
  if (!news.length) {
    return;
  }
  news.forEach((card) => card.classList.add("is-new"));
  const say = document.getElementById("news");
  const words = news.length > 1 ? say.dataset.many : say.dataset.one;
  say.textContent = `${words}: ${news.map((card) => card.dataset.key).join(", ")}`;
  beep();
  if (document.hidden || !document.hasFocus()) {
    unseen += news.length;
    entitle();
  }
}

const title = document.title;
let unseen = 0;

function entitle() {
  document.title = unseen ? `(${unseen}) ${title}` : title;
}

function lookedAt() {
  if (!document.hidden) {
    unseen = 0;
    entitle();
  }
}

document.addEventListener("visibilitychange", lookedAt);
window.addEventListener("focus", lookedAt);

let audio;
const bell = document.querySelector("[data-sound]");

// Where storage is forbidden the sound is off on each page.
function isLoud() {
  try {
    return localStorage.getItem(SOUND) === "on";
  } catch {
    return false;
  }
}

function showSound() {
  bell?.setAttribute("aria-pressed", String(isLoud()));
}

bell?.addEventListener("click", () => {
  try {
    localStorage.setItem(SOUND, isLoud() ? "off" : "on");
  } catch (error) {
    console.warn("The sound stays off:", error);
  }
  showSound();
  beep(); // so that one knows it
});
window.addEventListener("storage", ({ key }) => key === SOUND && showSound());
showSound();

// Browsers let a page be heard after it was touched.
for (const touch of ["pointerdown", "keydown"]) {
  document.addEventListener(touch, () => isLoud() && wakeAudio(), { passive: true });
}

function wakeAudio() {
  audio ??= new AudioContext();
  if (audio.state === "suspended") {
    audio.resume();
  }
}

/** Two short notes, up. */
function beep() {
  if (!isLoud() || !navigator.userActivation?.hasBeenActive) {
    return;
  }
  wakeAudio();
  for (const [pitch, start] of [[660, 0], [880, 0.12]]) {
    const begin = audio.currentTime + start;
    const tone = new OscillatorNode(audio, { frequency: pitch });
    const volume = new GainNode(audio, { gain: 0 });
    volume.gain.linearRampToValueAtTime(0.12, begin + 0.01);
    volume.gain.exponentialRampToValueAtTime(0.0001, begin + 0.2);
    tone.connect(volume).connect(audio.destination);
    tone.start(begin);
    tone.stop(begin + 0.22);
  }
}

// --- Ages, by the server's clock ------------------------------------------------------

function tellAges() {
  const words = board()?.dataset;
  const now = since + (Date.now() - clock);
  for (const time of board()?.querySelectorAll("[data-age]") ?? []) {
    const seconds = (now - Date.parse(time.dateTime)) / 1000;
    time.textContent = ageOf(Math.floor(seconds / 60), words);
    const column = time.closest("[data-column]")?.dataset.column;
    const waits = ["pending", "paid", "packed"].includes(column);
    time.closest(".order")?.classList.toggle("order--late", waits && seconds >= LATE_S);
  }
}

function ageOf(minutes, words) {
  const fill = (text, count) => text.replace("%(count)s", count);
  if (minutes < 1) {
    return words.ageNow;
  }
  if (minutes < 60) {
    return fill(words.ageMin, minutes);
  }
  return minutes < 48 * 60
    ? fill(words.ageH, Math.floor(minutes / 60))
    : fill(words.ageD, Math.floor(minutes / (24 * 60)));
}

setInterval(tellAges, AGE_MS);

// --- Steps without a reload -----------------------------------------------------------

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-move]")) {
    event.preventDefault();
    if (!form.hasAttribute("aria-busy")) {
      send(form);
    }
  }
});

async function send(form) {
  form.setAttribute("aria-busy", "true");
  const before = shownVersion();
  let isDone = false;
  try {
    const answer = await post(form.action, new FormData(form));
    isDone = answer.isDone;
    show(answer.messages);
    if (isDone) {
      close(form);
    }
  } catch (error) {
    console.error("The form was not sent:", error);
    show([{ level: "error", text: document.getElementById("messages").dataset.failed }]);
  } finally {
    form.removeAttribute("aria-busy");
  }
  if (isDone) {
    expect(before + 1); // it is pushed to all, and to this page
  } else {
    refresh();
  }
}

function close(form) {
  form.reset();
  form.closest("details")?.removeAttribute("open");
  if (form.contains(document.activeElement) && document.activeElement.matches("input, textarea")) {
    document.activeElement.blur();
  }
}

// --- Keys -----------------------------------------------------------------------------

let next = null; // the order that gets the focus when the one in hand has moved on

const VERBS = { p: "pack", s: "ship", d: "deliver" };
const help = document.getElementById("keys");

document.querySelector("[data-keys]")?.addEventListener("click", () => help.showModal());
document.querySelector("[data-print]")?.addEventListener("click", () => window.print());

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  const types = target.matches?.("input, textarea, select, [contenteditable]");
  if (types || help.open || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  if (press(key)) {
    event.preventDefault();
  }
});

function press(key) {
  if (key === "j" || key === "k") {
    step(key === "j" ? 1 : -1);
  } else if (key === "/") {
    document.querySelector("[data-search]")?.select();
  } else if (key === "?") {
    help.showModal();
  } else if (key in VERBS) {
    move(VERBS[key]);
  } else {
    return false;
  }
  return true;
}

function step(by) {
  const all = cards();
  const here = all.findIndex((card) => card.contains(document.activeElement));
  const there = here < 0 ? (by > 0 ? 0 : all.length - 1) : here + by;
  if (all[there]) {
    focusCard(all[there]);
  }
}

/** Send the form of the order in hand; on its own page there is only one. */
function move(verb) {
  const own = document.querySelector(".part--state");
  const card = own ?? cards().find((each) => each.contains(document.activeElement));
  const form = card?.querySelector(`[data-move="${verb}"]`);
  if (form) {
    next = (card.nextElementSibling ?? card.previousElementSibling)?.dataset.key ?? null;
    form.requestSubmit();
  }
}

/* The staff's board and its orders' pages, live.
 *
 * The topic "board" pushes the cards of the orders that have moved, the same for all
 * boards; each page applies its own filters to them and counts its columns. A page that
 * missed more than was pushed, or cannot know what a column shows next, fetches its
 * board and merges it. Both compare cards by key and version. So nothing is missed or
 * announced twice, and what has the focus or an open form stays.
 */

import "./staff.js";
import "./board/keys.js";
import { showAges } from "./board/ages.js";
import { board, boardVersion, isBusy, isStale } from "./board/cards.js";
import { merge } from "./board/merge.js";
import { enhanceMoves } from "./board/moves.js";
import { applyPush } from "./board/pushes.js";
import { fetchPage } from "./requests.js";

const PAUSE_MS = 400; // between two fetches: many orders at once make few requests
const RETRY_MS = 3_000;
const PUSH_MS = 2_000; // a change that is not pushed by then is fetched

let lastPush = null; // facts of the topic "board", with their version

// --- Pushes ---------------------------------------------------------------------------

document.addEventListener("live:item", ({ detail: [topic, version, facts] }) => {
  if (topic === "board") {
    lastPush = { version, ...facts };
    followPush();
  } else if (topic === "orders") {
    expectVersion(version);
  }
});

/** Fetch a version that is not pushed soon, by a process that knows no boards yet, say. */
function expectVersion(version) {
  setTimeout(() => {
    if (version > boardVersion()) {
      refresh();
    }
  }, PUSH_MS);
}

/** Apply the last push, or fetch the board if there were changes before it. */
function followPush() {
  if (!lastPush || lastPush.version <= boardVersion()) {
    return;
  }
  if (lastPush.since > boardVersion()) {
    refresh();
    return;
  }
  const page = board();
  page.dataset.version = lastPush.version;
  if (page.dataset.number) {
    followOrder(page.dataset);
  } else {
    applyToColumns(page);
  }
}

/** An order's own page shows more than its card, so it is fetched. */
function followOrder(shown) {
  const [, version] = lastPush.moved.find(([number]) => number === shown.number) ?? [];
  if (version > Number(shown.orderVersion)) {
    refresh();
  }
}

function applyToColumns(page) {
  const { content } = document.querySelector('template[data-topic="board"]');
  const cards = [...document.importNode(content, true).children];
  const wait = applyPush(page, lastPush, cards);
  showAges();
  if (wait !== null) {
    refreshIn(wait);
  }
}

// --- Fetches --------------------------------------------------------------------------

let isFetching = false;
let isOutdated = false;

async function refresh() {
  isOutdated = true;
  if (isFetching || !board()) {
    return;
  }
  isFetching = true;
  while (isOutdated) {
    isOutdated = false;
    let pause = PAUSE_MS;
    try {
      take(await fetchBoard());
      followPush(); // one may have come before the answer
    } catch (error) {
      console.warn("The board could not be fetched:", error);
      isOutdated = true;
      pause = RETRY_MS;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  isFetching = false;
}

async function fetchBoard() {
  const address = new URL(location.href);
  address.hash = "";
  address.searchParams.set("fragment", "1");
  const { response, page } = await fetchPage(address);
  if (response.redirected || response.status === 403) {
    location.reload(); // signed out, or no longer allowed: the server says which
  }
  if (!response.ok) {
    throw new Error(`${response.status} ${response.statusText}`);
  }
  return page.getElementById("board");
}

function take(fresh) {
  const isPushNewer = lastPush?.version > Number(fresh.dataset.version);
  const moved = isPushNewer ? lastPush.moved.map(([number]) => number) : [];
  merge(board(), fresh, moved);
  showAges();
}

let refreshTimer = null;
let refreshAt = 0;

/** Fetch the board in `ms` to 2 × `ms`: many boards do not fetch at the same time. */
function refreshIn(ms) {
  if (refreshTimer && refreshAt <= Date.now() + 2 * ms) {
    return;
  }
  clearTimeout(refreshTimer);
  const wait = ms * (1 + Math.random());
  refreshAt = Date.now() + wait;
  refreshTimer = setTimeout(() => {
    refreshTimer = null;
    refresh();
  }, wait);
}

// --- Forms ----------------------------------------------------------------------------

// The server pushes the move to all boards, so wait for the next version.
enhanceMoves((versionBefore) => expectVersion(versionBefore + 1), refresh);

// Once nobody works in a stale card any more, the order can be shown as it is.
document.addEventListener("toggle", ({ target }) => refreshIfStale(target), true);
document.addEventListener("focusout", ({ target }) => setTimeout(() => refreshIfStale(target)));

function refreshIfStale(target) {
  const card = target.closest?.("[data-key]");
  if (card && isStale(card) && !isBusy(card)) {
    refresh();
  }
}

document.querySelector("[data-print]")?.addEventListener("click", () => window.print());

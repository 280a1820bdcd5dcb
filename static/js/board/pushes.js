/* The cards that are pushed, put into the board's columns. */

import { announce, markSeen } from "./news.js";
import {
  cardOf,
  columnCalled,
  columnsIn,
  counterOf,
  isBusy,
  isStale,
  listOf,
  markStale,
  versionOf,
} from "./cards.js";
import {
  countUnderFilters,
  isUnfiltered,
  isWithinShown,
  matchesFilters,
  successorOf,
} from "./filters.js";
import { rememberFocus } from "./focus.js";

const REFRESH_MS = 5_000; // before a column whose contents are not known is fetched
const REFRESH_SOON_MS = 1_000; // the same for a column that is half empty

/**
 * Put the pushed cards where they belong, and count the columns again.
 *
 * @param {HTMLElement} board
 * @param {object} push facts of the topic "board": counts, and the keys of the cards that
 *   come next in long columns (`coming`)
 * @param {HTMLElement[]} cards those that have moved, and those that come next
 * @returns {number | null} in how many milliseconds the board must be fetched, if it
 *   must: where the push does not say what a column shows now
 */
export function applyPush(board, push, cards) {
  const restoreFocus = rememberFocus();
  const columns = columnsIn(board);
  const complete = new Set(columns.filter(isComplete));
  const placed = cards.map((card) => place(board, card, complete));
  announce(placed.filter((card) => card !== null));
  columns.forEach((column) => appendComing(board, column, push.coming, cards));
  const waits = columns.map((column) => recount(board, column, push.counts, complete));
  restoreFocus();
  const known = waits.filter((ms) => ms !== null);
  return known.length ? Math.min(...known) : null;
}

const isComplete = (column) =>
  Number(counterOf(column).dataset.count) === listOf(column).children.length;

/** Put a card where it belongs. Returns the card, or null if the board does not show it
 * or has it already. */
function place(board, card, complete) {
  const old = cardOf(card.dataset.key);
  if (old && versionOf(old) >= versionOf(card)) {
    return null;
  }
  if (old && isBusy(old)) {
    markStale(old);
    return null;
  }
  const column = matchesFilters(board, card) && columnCalled(board, card.dataset.in);
  if (!column || !isWithinShown(board, column, card, complete.has(column))) {
    old?.remove();
    return null;
  }
  limitToRights(board, card);
  const list = listOf(column);
  if (old) {
    card.classList.add(old.parentElement === list ? "is-touched" : "is-moved");
    old.remove();
  }
  list.insertBefore(card, successorOf(board, list, card));
  return card;
}

/** Cards are pushed with the forms of those who may change orders. */
function limitToRights(board, card) {
  if (!("mayChange" in board.dataset)) {
    card.querySelector(".steps")?.remove();
  }
}

/** Fill a long column up with the cards that come after the last one it shows. They are
 * pushed for boards without filters, newest first. */
function appendComing(board, column, coming, cards) {
  const keys = coming[column.dataset.column];
  if (!keys || !isUnfiltered(board) || column.dataset.page) {
    return;
  }
  const list = listOf(column);
  const last = [...list.children].findLast((card) => !isStale(card));
  const index = keys.indexOf(last?.dataset.key);
  for (const key of index < 0 ? [] : keys.slice(index + 1)) {
    if (!cardOf(key)) {
      const card = cards.find((each) => each.dataset.key === key);
      markSeen(key); // an old order
      limitToRights(board, card);
      list.append(card);
    }
  }
}

/** Show how many orders a column has, and remove the cards beyond its limit. Returns in
 * how many milliseconds the board must be fetched, or null. */
function recount(board, column, counts, complete) {
  const list = listOf(column);
  const limit = Number(column.dataset.limit);
  const count = countUnderFilters(board, column, counts);
  if (count === null && !complete.has(column)) {
    return REFRESH_MS;
  }
  for (const card of [...list.children].slice(limit).reverse()) {
    if (!isBusy(card) && !card.contains(document.activeElement)) {
      card.remove();
    }
  }
  return showCount(board, column, count ?? list.children.length);
}

function showCount(board, column, count) {
  const shown = listOf(column).children.length;
  const missing = count - shown;
  const counter = counterOf(column);
  counter.dataset.count = counter.textContent = String(count);
  column.querySelector(".column__hint").hidden = count > 0;
  const more = column.querySelector(".column__more");
  more.hidden = missing < 1 || "page" in column.dataset;
  more.textContent = board.dataset.more.replace("%(count)s", missing);
  return waitUntilFetch(column.dataset, count, shown);
}

function waitUntilFetch({ page, pages, limit }, count, shown) {
  const isPaged = page && (pages > 1 || count > limit);
  if (page > 1 || (isPaged && Math.ceil(count / limit) !== Number(pages)) || count < shown) {
    return REFRESH_MS;
  }
  if (count > shown && shown < limit) {
    return shown < limit / 2 ? REFRESH_SOON_MS : REFRESH_MS;
  }
  return null;
}

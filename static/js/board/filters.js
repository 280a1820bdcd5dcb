/* The board's filters and sorting, applied to cards that are pushed. The server applies
 * the same ones in products/staff/board.py. */

import { cardOf, listOf } from "./cards.js";

/** Whether the board's filters select the order. */
export function matchesFilters({ dataset: { q, method, mine } }, card) {
  const { key, email, method: cardMethod, handler } = card.dataset;
  const query = q.toLowerCase();
  const startsWithQuery = (text) => text.toLowerCase().startsWith(query);
  const matchesQuery = startsWithQuery(email) || (!q.includes("@") && startsWithQuery(key));
  return (
    (!q || matchesQuery) && (!method || method === cardMethod) && (!mine || mine === handler)
  );
}

/** Whether the board has the filters and the order in which `coming` cards are pushed. */
export function isUnfiltered({ dataset: { q, method, mine, oldest } }) {
  return !(q || method || mine || oldest);
}

/** The card in the list before which this one belongs; null at the list's end. */
export function successorOf(board, list, card) {
  const isOldestFirst = board.dataset.oldest !== "";
  const { key, rank } = card.dataset;
  const old = cardOf(key);
  const comesAfter = (other) => other.dataset.rank > rank === isOldestFirst;
  return [...list.children].find((other) => other !== old && comesAfter(other)) ?? null;
}

/** Whether the card belongs among those that the column shows, and not on another page
 * or behind the last card. `isComplete`: the column shows all its orders. */
export function isWithinShown(board, column, card, isComplete) {
  const list = listOf(column);
  const successor = successorOf(board, list, card);
  const isFirst = successor === list.firstElementChild;
  const isLast = successor === null;
  return !(isFirst && column.dataset.page > 1) && (!isLast || isComplete);
}

/** How many orders the column has under the board's filters; null if the pushed counts
 * do not say. A count is [column, method, handler, number]. */
export function countUnderFilters({ dataset: { q, method, mine } }, column, counts) {
  if (q || !("counted" in column.dataset)) {
    return null;
  }
  return counts
    .filter(
      ([key, paidBy, handler]) =>
        key === column.dataset.column &&
        (!method || method === paidBy) &&
        (!mine || mine === String(handler)),
    )
    .reduce((sum, [, , , number]) => sum + number, 0);
}

/* The cards on the board, in columns. An order's own page has the same structure: parts
 * in place of cards, and lists without columns. */

export const board = () => document.getElementById("board");
export const boardVersion = () => Number(board()?.dataset.version ?? Infinity);
export const orderCards = () => [...document.querySelectorAll(".order[data-key]")];
export const cardsIn = (root) => [...root.querySelectorAll("[data-list] > [data-key]")];

/** The card with this key: an order's number, or the name of a part. */
export const cardOf = (key) =>
  board().querySelector(`[data-list] > [data-key="${CSS.escape(key)}"]`);

export const columnsIn = (root) => [...root.querySelectorAll("[data-column]")];
export const columnCalled = (root, name) => root.querySelector(`[data-column="${name}"]`);
export const listOf = (column) => column.querySelector("[data-list]");
export const counterOf = (column) => column.querySelector("[data-count]");

export const versionOf = (card) => Number(card.dataset.version);

/** Whether somebody works in the card: a form is open, or has input that is not sent.
 * Such a card stays as it is. */
export function isBusy(card) {
  const focused = document.activeElement;
  const isTypedIn = card.contains(focused) && focused.matches("input, textarea");
  const fields = [...card.querySelectorAll("textarea, input:not([type=hidden])")];
  const hasInput = fields.some((field) => field.value !== field.defaultValue);
  return isTypedIn || hasInput || card.querySelector("details[open]") !== null;
}

const STALE = "-1";
export const isStale = (card) => card.dataset.version === STALE;

/** Show that the order has changed, and take any version for newer than this one. */
export function markStale(card) {
  const note = card.querySelector("[data-stale]");
  if (note) {
    note.hidden = false;
  }
  card.dataset.version = STALE;
}

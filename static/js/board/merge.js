/* A board that was fetched again, merged into the page. Cards are compared by key and
 * version, so that what has the focus or an open form stays. */

import { setClock } from "./ages.js";
import {
  cardsIn,
  columnCalled,
  columnsIn,
  isBusy,
  listOf,
  markStale,
  versionOf,
} from "./cards.js";
import { rememberFocus } from "./focus.js";
import { announce } from "./news.js";

/**
 * Take what differs from a board that was just fetched.
 *
 * @param {HTMLElement} board on the page
 * @param {HTMLElement} fresh the same board, as the server shows it now
 * @param {string[]} moved keys of cards that a newer push is about: they are not removed
 */
export function merge(board, fresh, moved) {
  const restoreFocus = rememberFocus();
  board.dataset.version = fresh.dataset.version;
  if (fresh.dataset.orderVersion) {
    board.dataset.orderVersion = fresh.dataset.orderVersion;
  }
  setClock(fresh);
  mergeColumns(board, fresh);
  mergeHeads(fresh);
  removeGone(board, fresh, moved);
  announce(mergeCards(board, fresh));
  restoreFocus();
}

/** Add the columns that the page does not have, and take what is said of each. */
function mergeColumns(board, fresh) {
  for (const column of columnsIn(fresh)) {
    const old = columnCalled(board, column.dataset.column);
    if (old) {
      Object.assign(old.dataset, column.dataset);
    } else {
      const copy = document.importNode(column, true);
      listOf(copy).replaceChildren();
      board.append(copy);
    }
  }
}

/** Replace the heads and feet of columns, except where somebody uses one. */
function mergeHeads(fresh) {
  for (const part of fresh.querySelectorAll("[data-swap]")) {
    const old = document.getElementById(part.id);
    if (old.innerHTML !== part.innerHTML && !old.contains(document.activeElement)) {
      old.innerHTML = part.innerHTML;
    }
  }
}

function removeGone(board, fresh, moved) {
  const present = new Set([...cardsIn(fresh).map((card) => card.dataset.key), ...moved]);
  for (const card of cardsIn(board)) {
    if (!present.has(card.dataset.key)) {
      if (isBusy(card)) markStale(card);
      else card.remove();
    }
  }
}

/** Put each list's cards in the order of the fresh board. Returns the cards. */
function mergeCards(board, fresh) {
  const oldCards = new Map(cardsIn(board).map((card) => [card.dataset.key, card]));
  const cards = [];
  for (const freshList of fresh.querySelectorAll("[data-list]")) {
    const list = document.getElementById(freshList.id);
    let place = list.firstElementChild;
    for (const freshCard of [...freshList.children]) {
      const old = oldCards.get(freshCard.dataset.key);
      const card = choose(old, freshCard, list);
      if (old === place) {
        place = card; // which may have taken the old card's place
      }
      if (card === place) {
        place = place.nextElementSibling;
      } else if (!(isBusy(card) && card.isConnected)) {
        list.insertBefore(card, place);
      }
      cards.push(card);
    }
  }
  return cards;
}

/** Choose the card that shows the order from now on: the old one if it is as new, or if
 * somebody works in it. */
function choose(old, freshCard, list) {
  if (old && versionOf(old) >= versionOf(freshCard)) {
    return old;
  }
  if (old && isBusy(old)) {
    markStale(old);
    return old;
  }
  const card = document.adoptNode(freshCard);
  if (old) {
    card.classList.add(old.parentElement === list ? "is-touched" : "is-moved");
    old.replaceWith(card);
  }
  return card;
}

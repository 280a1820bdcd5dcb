/* The keyboard's focus stays with its order when cards are replaced or moved. */

import { cardOf } from "./cards.js";

let nextKey = null; // the card that gets the focus once the current order has moved

/** Move the focus to the card with this key when cards change next. */
export function focusNext(key) {
  nextKey = key;
}

/** Remember what has the focus before cards change. Returns a function that restores it:
 * to the same control of the same order, or to a neighbour if the order has gone. */
export function rememberFocus() {
  const focused = document.activeElement;
  const card = focused?.closest?.("#board [data-list] > [data-key]");
  if (!card) {
    return () => {};
  }
  const { key } = card.dataset;
  const verb = focused.closest("[data-move]")?.dataset.move;
  const list = card.parentElement;
  const index = [...list.children].indexOf(card);
  return () => {
    if (document.activeElement === focused && nextKey === null) {
      return;
    }
    const wantedKey = nextKey ?? key;
    nextKey = null;
    const wanted = cardOf(wantedKey);
    if (!wanted) {
      focusCard(list.children[Math.min(index, list.children.length - 1)]);
    } else if (wantedKey !== key) {
      focusCard(wanted);
    } else if (focused.isConnected) {
      focused.focus({ preventScroll: true });
    } else {
      focusButton(wanted, verb);
    }
  };
}

function focusButton(card, verb) {
  const button = card.querySelector(`[data-move="${verb}"] button`);
  if (button) {
    button.focus({ preventScroll: true });
  } else {
    focusCard(card);
  }
}

export function focusCard(card) {
  (card?.querySelector("a, button") ?? document.getElementById("main")).focus();
  card?.scrollIntoView?.({ block: "nearest" });
}

/* Keyboard shortcuts, listed in templates/staff/_keys.html. */

import { orderCards } from "./cards.js";
import { focusCard, focusNext } from "./focus.js";

const help = document.getElementById("keys");
const moveKeys = [...help.querySelectorAll("[data-makes]")];
const MOVES = Object.fromEntries(moveKeys.map((key) => [key.textContent, key.dataset.makes]));

document.querySelector("[data-keys]")?.addEventListener("click", () => help.showModal());

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  const isField = target.matches?.("input, textarea, select, [contenteditable]");
  if (isField || help.open || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  if (handle(key)) {
    event.preventDefault();
  }
});

/** Returns whether the key is a shortcut. */
function handle(key) {
  if (key === "j" || key === "k") {
    focusNeighbour(key === "j" ? 1 : -1);
  } else if (key === "/") {
    document.querySelector("[data-search]")?.select();
  } else if (key === "?") {
    help.showModal();
  } else if (key in MOVES) {
    submitMove(MOVES[key]);
  } else {
    return false;
  }
  return true;
}

const currentCard = (cards) => cards.find((card) => card.contains(document.activeElement));

function focusNeighbour(step) {
  const cards = orderCards();
  const index = cards.indexOf(currentCard(cards));
  const first = step > 0 ? 0 : cards.length - 1;
  const neighbour = cards[index < 0 ? first : index + step];
  if (neighbour) {
    focusCard(neighbour);
  }
}

/** Submit the form of the current order; an order's own page has only one. */
function submitMove(verb) {
  const card = document.querySelector(".part--state") ?? currentCard(orderCards());
  const form = card?.querySelector(`[data-move="${verb}"]`);
  if (form) {
    const neighbour = card.nextElementSibling ?? card.previousElementSibling;
    focusNext(neighbour?.dataset.key ?? null);
    form.requestSubmit();
  }
}

/* New orders: a sentence for screen readers, a sound, and a number in the title while
 * nobody looks at the page. */

import { board, orderCards } from "./cards.js";
import { beep } from "./sound.js";

const seen = new Set(orderCards().map((card) => card.dataset.key));
// An older order that turns up has moved: it is not new.
const oldestNews = Date.parse(board()?.dataset.now) - 60_000;

/** Take the order for one that the page has shown before. */
export function markSeen(key) {
  seen.add(key);
}

/** Announce those of the cards that are of new orders, each order once. */
export function announce(cards) {
  const news = cards.filter(isNew);
  if (news.length === 0) {
    return;
  }
  news.forEach((card) => card.classList.add("is-new"));
  const status = document.getElementById("news");
  const words = news.length > 1 ? status.dataset.many : status.dataset.one;
  status.textContent = `${words}: ${news.map((card) => card.dataset.key).join(", ")}`;
  beep();
  if (document.hidden || !document.hasFocus()) {
    unread += news.length;
    showUnread();
  }
}

function isNew({ dataset: { key, placed } }) {
  if (!placed || seen.has(key)) {
    return false;
  }
  markSeen(key);
  return Date.parse(placed) > oldestNews;
}

const title = document.title;
let unread = 0;

function showUnread() {
  document.title = unread ? `(${unread}) ${title}` : title;
}

function markRead() {
  if (!document.hidden) {
    unread = 0;
    showUnread();
  }
}

document.addEventListener("visibilitychange", markRead);
window.addEventListener("focus", markRead);

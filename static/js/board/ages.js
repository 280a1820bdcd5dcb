/* How long ago orders were placed, by the server's clock. */

import { board } from "./cards.js";

const UPDATE_MS = 10_000;
const LATE_S = 24 * 3600;

let serverTime; // when the server rendered the board
let receivedAt; // when that was, by our clock

/** Take the server's time from a board that has just been rendered. */
export function setClock({ dataset }) {
  serverTime = Date.parse(dataset.now);
  receivedAt = Date.now();
}

export function showAges() {
  const now = serverTime + (Date.now() - receivedAt);
  for (const time of board()?.querySelectorAll("[data-age]") ?? []) {
    const seconds = (now - Date.parse(time.dateTime)) / 1000;
    time.textContent = ageText(Math.floor(seconds / 60), board().dataset);
    const isWaiting = time.closest("[data-gets-late]") !== null;
    const isLate = isWaiting && seconds >= LATE_S;
    time.closest(".order")?.classList.toggle("order--late", isLate);
  }
}

function ageText(minutes, texts) {
  const fill = (text, count) => text.replace("%(count)s", count);
  if (minutes < 1) {
    return texts.ageNow;
  }
  if (minutes < 60) {
    return fill(texts.ageMin, minutes);
  }
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? fill(texts.ageH, hours) : fill(texts.ageD, Math.floor(hours / 24));
}

if (board()) {
  setClock(board());
}
setInterval(showAges, UPDATE_MS);

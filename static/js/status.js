/* The sentence at the bottom of a page that says it is not live. */

/** Show the sentence of #live-status, or the one for the reason, while `live` is down. */
export function showStatus(live) {
  const notice = document.getElementById("live-status"); // the admin has none
  const paused = notice?.textContent;
  live.addEventListener("status", ({ detail: { isUp, why } }) => {
    document.documentElement.dataset.live = isUp ? "up" : "down";
    if (notice) {
      notice.textContent = notice.dataset[why] ?? paused;
      notice.hidden = isUp;
    }
  });
}

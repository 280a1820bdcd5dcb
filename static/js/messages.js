/* What the page tells its visitor: messages, and whether the page is live. */

/** Show messages ({level, text}) in place of those that are there. */
export function showMessages(messages) {
  const place = document.getElementById("messages");
  place.replaceChildren(
    ...messages.map(({ level, text }) => {
      const message = document.createElement("p");
      message.className = `message message--${level}`;
      message.textContent = text;
      return message;
    }),
  );
}

/** Show one of the messages that the page has ready, in data attributes of #messages. */
export function showMessage(level, name) {
  const text = document.getElementById("messages").dataset[name];
  showMessages([{ level, text }]);
}

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

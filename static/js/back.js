/* The page of a sold-out product tells who waits that it is back. Who has read it there
 * needs no mail, so the server hears of it. */

const note = document.querySelector("[data-back]");
const watch = new MutationObserver(told);

function told() {
  if (note.hidden || document.hidden) {
    return;
  }
  watch.disconnect();
  document.removeEventListener("visibilitychange", told);
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const headers = { "X-CSRFToken": token };
  fetch(note.dataset.seen, { method: "POST", headers, keepalive: true }).catch((error) =>
    console.warn("A mail will come, too:", error),
  );
}

if (note) {
  watch.observe(note, { attributeFilter: ["hidden"] });
  document.addEventListener("visibilitychange", told);
  told();
}

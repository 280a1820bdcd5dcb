/* The page of a sold-out product says when the product is back. Visitors who asked for a
 * mail need none once they have read that, so the page reports it to the server. */

import { post } from "./requests.js";

const note = document.querySelector("[data-back]");
const observer = new MutationObserver(reportIfSeen);

function reportIfSeen() {
  if (note.hidden || document.hidden) {
    return;
  }
  observer.disconnect();
  document.removeEventListener("visibilitychange", reportIfSeen);
  post(note.dataset.seen, new FormData(), { keepalive: true }).catch((error) =>
    console.warn("The visitor will get an email too:", error),
  );
}

if (note) {
  observer.observe(note, { attributeFilter: ["hidden"] });
  document.addEventListener("visibilitychange", reportIfSeen);
  reportIfSeen();
}

/* The basket's forms without a reload. Each is a plain form: without this script, or
 * when it fails, the browser posts it and the server answers with a page. */

import { shown } from "./topics.js";

const AFTER_TYPING_MS = 300;

/**
 * @param {(item: Array) => void} take shows an item of the answer if it is newer
 * @param {() => void} identified called when the visitor has just got a basket
 */
export function enhance(take, identified) {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-add], [data-basket]")) {
      event.preventDefault();
      // One at a time in all tabs: the first answer brings the session's cookie, and
      // a second request without it would fill a basket that nobody sees again.
      alone(() => send(form, event.submitter, take, identified));
    }
  });
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (field.form?.matches("[data-basket]") && field.type === "number") {
      clearTimeout(field.timer);
      field.timer = setTimeout(() => field.form?.requestSubmit(), AFTER_TYPING_MS);
    }
  });
}

const alone = (work) =>
  navigator.locks ? navigator.locks.request("shop-basket", work) : work();

async function send(form, submitter, take, identified) {
  const body = new FormData(form, submitter);
  body.set("parts", shown().has("basket:lines") ? "basket:lines" : "basket");
  submitter?.setAttribute("aria-busy", "true");
  try {
    const headers = { Accept: "application/json" };
    const response = await fetch(form.action, { method: "POST", body, headers });
    if (!response.headers.get("Content-Type")?.startsWith("application/json")) {
      throw new Error(`${response.status} ${response.statusText}`);
    }
    const answer = await response.json();
    show(answer.messages);
    answer.items.forEach(take);
    if (answer.identity) {
      identified();
    }
  } catch (error) {
    console.error("The form was not sent:", error);
    show([{ level: "error", text: document.getElementById("messages").dataset.failed }]);
  } finally {
    submitter?.removeAttribute("aria-busy");
  }
}

function show(messages) {
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

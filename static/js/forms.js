/* The basket's forms without a reload. Each is a plain form: without this script the
 * browser posts it and the server answers with a page. */

import { basePath } from "./page.js";
import { post } from "./requests.js";
import { shown } from "./topics.js";

const AFTER_TYPING_MS = 300;

// Quantities the shopper has set and that are not sent yet, by the field's name. A push
// may replace the field before it is sent: what was typed must not go with it.
const wanted = new Map();
let typed; // the timer that sends them

/**
 * @param {(item: Array) => void} take shows an item of the answer if it is newer
 * @param {() => void} identified called when the visitor has just got a basket
 */
export function enhance(take, identified) {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-add], [data-basket]")) {
      event.preventDefault();
      const body = bodyOf(form, event.submitter);
      // One at a time in all tabs: the first answer brings the session's cookie, and
      // a second request without it would fill a basket that nobody sees again.
      alone(() => send(form, body, event.submitter, take, identified));
    }
  });
  document.addEventListener("change", ({ target: field }) => {
    if (field.type === "number" && field.form?.matches("[data-basket]")) {
      const { form } = field;
      keep(field);
      clearTimeout(typed);
      typed = setTimeout(() => form.requestSubmit(), AFTER_TYPING_MS);
    }
  });
}

function keep(field) {
  if (field.validity.valid) {
    wanted.set(field.name, field.value);
  } else {
    wanted.delete(field.name);
  }
}

/** What a form says. Of the basket's quantities only those that the shopper has set:
 * the others may be another tab's by now. */
function bodyOf(form, submitter) {
  const body = new FormData(form, submitter);
  if (submitter?.name === "remove") {
    wanted.delete(`quantity-${submitter.value}`);
  } else if (form.matches("[data-basket]")) {
    clearTimeout(typed);
    for (const { name, type, value, defaultValue } of form.elements) {
      if (name.startsWith("was-") || (type === "number" && value === defaultValue)) {
        body.delete(name);
      }
    }
    wanted.forEach((value, name) => body.set(name, value));
    wanted.clear();
  }
  return body;
}

const LOCK = `shop-basket:${basePath}`; // all shops of an origin share their names
let last = Promise.resolve();

function alone(work) {
  // Locks exist in secure contexts only; elsewhere it is one at a time in this tab.
  last = navigator.locks ? navigator.locks.request(LOCK, work) : last.then(work);
}

async function send(form, body, submitter, take, identified) {
  body.set("parts", shown().has("basket:lines") ? "basket:lines" : "basket");
  submitter?.setAttribute("aria-busy", "true");
  try {
    const answer = await post(form.action, body);
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

/** Show messages ({level, text}) in the place of those that are there. */
export function show(messages) {
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

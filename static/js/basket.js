/* The basket's forms without a reload. Each is a plain form: without this script the
 * browser posts it and the server answers with a page. */

import { showMessage, showMessages } from "./messages.js";
import { basePath } from "./page.js";
import { post } from "./requests.js";
import { shown } from "./topics.js";

const AFTER_TYPING_MS = 300;

// Quantities that the shopper has set and that are not sent yet, by the field's name. A
// push may replace the field first; what was typed must not be lost with it.
const unsent = new Map();
let sendTimer;

/**
 * @param {(item: Array) => void} take shows an item of the answer if it is newer
 * @param {() => void} identified called when the visitor has just got a basket
 */
export function enhanceBasket(take, identified) {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-add], [data-basket], [data-code]")) {
      event.preventDefault();
      const body = bodyOf(form, event.submitter);
      // One request at a time in all tabs: the first answer brings the session's cookie.
      // A second request without it would fill a basket that nobody sees again.
      oneAtATime(() => send(form, body, event.submitter, take, identified));
    }
  });
  document.addEventListener("change", ({ target: field }) => {
    if (field.type === "number" && field.form?.matches("[data-basket]")) {
      const { form } = field;
      keep(field);
      clearTimeout(sendTimer);
      sendTimer = setTimeout(() => form.requestSubmit(), AFTER_TYPING_MS);
    }
  });
}

function keep(field) {
  if (field.validity.valid) {
    unsent.set(field.name, field.value);
  } else {
    unsent.delete(field.name);
  }
}

/** The form's data. Of the basket's quantities only those that the shopper has set: the
 * others may have changed in another tab. */
function bodyOf(form, submitter) {
  const body = new FormData(form, submitter);
  if (submitter?.name === "remove") {
    unsent.delete(`quantity-${submitter.value}`);
  } else if (form.matches("[data-basket]")) {
    clearTimeout(sendTimer);
    for (const { name, type, value, defaultValue } of form.elements) {
      if (name.startsWith("was-") || (type === "number" && value === defaultValue)) {
        body.delete(name);
      }
    }
    unsent.forEach((value, name) => body.set(name, value));
    unsent.clear();
  }
  return body;
}

const LOCK = `shop-basket:${basePath}`; // all shops of an origin share the names of locks
let last = Promise.resolve();

function oneAtATime(work) {
  // Locks exist in secure contexts only; elsewhere it is one at a time in this tab.
  last = navigator.locks ? navigator.locks.request(LOCK, work) : last.then(work);
}

async function send(form, body, submitter, take, identified) {
  body.set("parts", shown().has("basket:lines") ? "basket:lines" : "basket");
  submitter?.setAttribute("aria-busy", "true");
  try {
    const { messages, items, identity } = await post(form.action, body);
    showMessages(messages);
    items.forEach(take);
    if (identity) {
      identified();
    }
  } catch (error) {
    console.error("The form was not sent:", error);
    showMessage("error", "failed");
  } finally {
    submitter?.removeAttribute("aria-busy");
  }
}

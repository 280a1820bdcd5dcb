/* Suggestions for the search field, as a combobox: the field keeps the focus, arrow keys
 * walk through the list, and Enter follows the chosen suggestion. If none is chosen, Enter
 * submits the form, as without this script. */

import { fetchPage } from "./requests.js";

const AFTER_TYPING_MS = 150;
const MIN_LETTERS = 2;
const TIMEOUT_MS = 5_000;

/** @param {HTMLFormElement} form with `data-suggest`, where suggestions come from */
export function suggest(form) {
  const field = form.querySelector("[type=search]");
  const status = form.querySelector("[role=status]");
  const place = form.querySelector("[data-suggestions]");
  let pending = null; // the AbortController of the request that is pending
  let timer;

  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-expanded", "false");
  field.setAttribute("aria-haspopup", "listbox");

  const options = () => [...place.querySelectorAll("[role=option]")];
  const active = () => place.querySelector("[aria-selected=true]");

  function close() {
    clearTimeout(timer);
    pending?.abort();
    place.replaceChildren();
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
    field.removeAttribute("aria-controls");
    status.textContent = "";
  }

  async function ask() {
    pending?.abort();
    const text = field.value.trim();
    if (text.length < MIN_LETTERS) {
      close();
      return;
    }
    const request = (pending = new AbortController());
    const timeout = setTimeout(() => request.abort(), TIMEOUT_MS);
    try {
      const query = new URLSearchParams({ q: text });
      const address = `${form.dataset.suggest}?${query}`;
      const { response, page } = await fetchPage(address, request.signal);
      if (request === pending && document.activeElement === field) {
        open(response.ok ? page.querySelector(".suggestions") : null);
      }
    } catch (error) {
      if (error.name !== "AbortError") {
        close(); // the form still searches
      }
    } finally {
      clearTimeout(timeout);
    }
  }

  function open(suggestions) {
    const list = suggestions?.querySelector("[role=listbox]");
    if (!list?.querySelector("[role=option]")) {
      const text = list?.dataset.status ?? "";
      close();
      status.textContent = text;
      return;
    }
    place.replaceChildren(suggestions);
    field.setAttribute("aria-expanded", "true");
    field.setAttribute("aria-controls", list.id);
    field.removeAttribute("aria-activedescendant");
    status.textContent = list.dataset.status;
  }

  function choose(option) {
    active()?.setAttribute("aria-selected", "false");
    if (option) {
      option.setAttribute("aria-selected", "true");
      field.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else {
      field.removeAttribute("aria-activedescendant");
    }
  }

  /** Choose the next suggestion; after the last one, none. */
  function step(by) {
    const choices = [null, ...options()];
    const index = choices.indexOf(active()) + by;
    choose(choices.at(index % choices.length));
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    choose(null);
    timer = setTimeout(ask, AFTER_TYPING_MS);
  });

  field.addEventListener("keydown", (event) => {
    if (event.isComposing) {
      return; // an input method handles the key
    }
    const isOpen = options().length > 0;
    if (event.key === "ArrowDown" && !isOpen) {
      event.preventDefault();
      ask();
    } else if (event.key === "ArrowDown" || (event.key === "ArrowUp" && isOpen)) {
      event.preventDefault();
      step(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && active()) {
      event.preventDefault();
      active().click();
    } else if (event.key === "Escape" && isOpen) {
      event.preventDefault(); // the first Escape closes the list, the next empties the field
      close();
    }
  });

  // Keep the focus in the field: without it the list closes before the click.
  place.addEventListener("mousedown", (event) => event.preventDefault());
  field.addEventListener("blur", close);
  form.addEventListener("submit", close);
  window.addEventListener("pageshow", (event) => event.persisted && close());
}

/** Leave empty fields out of the form's query, as links to the same list do. */
export function tidy(form) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) {
      if (value.trim() === "") {
        formData.delete(name);
      }
    }
  });
}

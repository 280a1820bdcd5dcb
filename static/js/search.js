/* Suggestions while one types in the search field, as a combobox: the field keeps the
 * focus, arrows walk through the list, Enter goes where the chosen one leads or, if none
 * is chosen, sends the form as it would be sent without this script. */

const AFTER_TYPING_MS = 150;
const SHORTEST = 2; // letters
const PATIENCE_MS = 5_000;

/** @param {HTMLFormElement} form with `data-suggest`, where suggestions come from */
export function suggest(form) {
  const field = form.querySelector("[type=search]");
  const status = form.querySelector("[role=status]");
  const place = form.querySelector("[data-suggestions]");
  let asked = null; // the request under way
  let timer;

  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-expanded", "false");
  field.setAttribute("aria-haspopup", "listbox");

  const options = () => [...place.querySelectorAll("[role=option]")];
  const active = () => place.querySelector("[aria-selected=true]");

  function close() {
    clearTimeout(timer);
    asked?.abort();
    place.replaceChildren();
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
    field.removeAttribute("aria-controls");
    status.textContent = "";
  }

  async function ask() {
    asked?.abort();
    const text = field.value.trim();
    if (text.length < SHORTEST) {
      close();
      return;
    }
    const mine = (asked = new AbortController());
    const late = setTimeout(() => mine.abort(), PATIENCE_MS);
    try {
      const query = new URLSearchParams({ q: text });
      const response = await fetch(`${form.dataset.suggest}?${query}`, { signal: mine.signal });
      const html = response.ok ? await response.text() : "";
      if (mine === asked && document.activeElement === field) {
        open(html);
      }
    } catch (error) {
      if (error.name !== "AbortError") {
        close(); // the form still searches
      }
    } finally {
      clearTimeout(late);
    }
  }

  function open(html) {
    const template = document.createElement("template");
    template.innerHTML = html.trim();
    const list = template.content.querySelector("[role=listbox]");
    if (!list?.querySelector("[role=option]")) {
      const said = list?.dataset.status ?? "";
      close();
      status.textContent = said;
      return;
    }
    place.replaceChildren(template.content.firstElementChild);
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

  /** From the field down through the list, and past its end back to the field. */
  function step(by) {
    const stops = [null, ...options()];
    const here = stops.indexOf(active());
    choose(stops[(here + by + stops.length) % stops.length]);
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    choose(null);
    timer = setTimeout(ask, AFTER_TYPING_MS);
  });

  field.addEventListener("keydown", (event) => {
    if (event.isComposing) {
      return; // the keys are an input method's
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
      event.preventDefault(); // the first closes the list, the next empties the field
      close();
    }
  });

  // A press on a suggestion must not take the focus away before it is a click.
  place.addEventListener("mousedown", (event) => event.preventDefault());
  field.addEventListener("blur", close);
  form.addEventListener("submit", close);
  window.addEventListener("pageshow", (event) => event.persisted && close());
}

/** Leave out of a form's address what was left empty, as links to the same list do. */
export function tidy(form) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) {
      if (value.trim() === "") {
        formData.delete(name);
      }
    }
  });
}

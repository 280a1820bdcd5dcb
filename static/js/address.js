/* The fields of an address depend on its country: their labels, which are optional, and
 * which are not used. Without this script the server checks them when the form is sent. */

const country = document.querySelector("select[data-rules]");
let rules; // the promise of all countries' rules, once they are needed

if (country) {
  country.addEventListener("change", applyRules);
  // The browser may have restored or filled in a country other than the server's.
  if (!country.selectedOptions[0]?.defaultSelected) {
    applyRules();
  }
}

async function applyRules() {
  const chosen = country.value;
  rules ??= fetch(country.dataset.rules).then((response) => response.json());
  try {
    const { kinds, countries } = await rules;
    if (chosen === country.value) {
      show(kinds[countries[chosen] ?? countries[""]]);
    }
  } catch (error) {
    rules = undefined; // try again at the next change
    console.warn("The fields stay as they are:", error);
  }
}

function show(kind) {
  for (const field of country.form.querySelectorAll("[data-follows-country]")) {
    const { label, used, needed } = kind[field.dataset.followsCountry];
    field.labels[0].replaceChildren(label, ...(needed ? [] : [" ", optional()]));
    field.closest(".field").hidden = !used && !field.value;
  }
}

function optional() {
  const mark = document.createElement("span");
  mark.className = "field__optional";
  mark.textContent = country.dataset.optional;
  return mark;
}

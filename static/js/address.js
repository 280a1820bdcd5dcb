/* The fields of an address follow its country: what they are called, which may stay
 * empty, and which are not used there. Without this script the server says so once the
 * form is sent. */

const country = document.querySelector("select[data-rules]");
let rules; // a promise of them, once they are needed

if (country) {
  country.addEventListener("change", follow);
  // What the browser has filled in, or kept from before, is not what the server drew.
  if (!country.selectedOptions[0]?.defaultSelected) {
    follow();
  }
}

async function follow() {
  const chosen = country.value;
  rules ??= fetch(country.dataset.rules).then((answer) => answer.json());
  try {
    const { kinds, countries } = await rules;
    if (chosen === country.value) {
      show(kinds[countries[chosen] ?? countries[""]]);
    }
  } catch (error) {
    rules = undefined; // asked for again at the next change
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

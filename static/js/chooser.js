/* Choosing a variant replaces the product's part of the page: its pictures, its price, its
 * form and the chooser. Without this module, and whenever something is odd, the links of
 * the chooser open their pages. */

import { enhanceGallery } from "./gallery.js";
import { fetchPage } from "./requests.js";
import { freshen } from "./topics.js";

const ARTICLE = "article.detail";

let latest = 0; // the number of the newest choice

document.addEventListener("click", (event) => {
  const link = event.target.closest(".chooser a");
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) {
    return;
  }
  event.preventDefault();
  const { pathname, search } = new URL(link.href);
  show(pathname + search, link.href, () => history.pushState({}, "", pathname + search));
});

window.addEventListener("popstate", () => {
  if (!location.hash) {
    show(location.pathname + location.search, location.href, () => {});
  }
});

/** Show the page at an address. `chosen` is called once it is there. */
async function show(address, fallback, chosen) {
  const number = ++latest;
  const article = document.querySelector(ARTICLE);
  article.setAttribute("aria-busy", "true");
  try {
    const { response, page } = await fetchPage(address);
    if (number !== latest) {
      return; // another choice was made meanwhile
    }
    const next = page.querySelector(ARTICLE);
    if (!response.ok || !next || needsScripts(page)) {
      location.assign(fallback);
      return;
    }
    chosen();
    document.title = page.title;
    replace(article, next);
  } catch (error) {
    console.warn("The variant is not shown:", error);
    location.assign(fallback);
  }
}

function replace(article, next) {
  const quantity = article.querySelector("#quantity")?.value;
  const focused = article.contains(document.activeElement) && placeOf(document.activeElement);
  freshen(next);
  article.replaceWith(next);
  const field = next.querySelector("#quantity");
  if (field && quantity) {
    field.value = quantity;
  }
  if (focused) {
    (linkAt(next, focused) ?? next.querySelector(".chooser a[aria-current]"))?.focus({
      preventScroll: true,
    });
  }
  enhanceGallery();
}

// The chooser's links have the same values on the pages of all variants.
const placeOf = (link) => link.querySelector(".choice__value")?.textContent;

const linkAt = (root, value) =>
  [...root.querySelectorAll(".chooser a")].find((link) => placeOf(link) === value);

/** Whether a page has scripts that this one has not: it must be opened, then. */
function needsScripts(page) {
  const sources = (root) =>
    [...root.querySelectorAll("script[src]")].map((script) => script.getAttribute("src"));
  const here = sources(document);
  return sources(page).some((source) => !here.includes(source));
}

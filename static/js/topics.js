/* The live pieces of a page: elements with data-topic and data-version. */

const latest = new Map(); // topic -> the newest item applied

const rootsOf = (name, within = document) =>
  within.querySelectorAll(`[data-topic="${name}"]`);

const isPersonalRoot = (root) => "personal" in root.dataset;

/** Whether each visitor has their own topic of this name. The partial says so. */
export const isPersonal = (name) => [...rootsOf(name)].some(isPersonalRoot);

/** The topics on the page with the oldest version shown of each, the nearest first. */
export function shown() {
  const roots = [...document.querySelectorAll("[data-topic]")];
  const byDistance = roots
    .map((root) => [distanceFromView(root), root])
    .sort(([one], [other]) => one - other);
  const topics = new Map();
  for (const [, root] of byDistance) {
    const { topic, version } = root.dataset;
    topics.set(topic, Math.min(Number(version), topics.get(topic) ?? Infinity));
  }
  return topics;
}

function distanceFromView(root) {
  if (isPersonalRoot(root)) {
    return -1; // always wanted
  }
  const box = root.getBoundingClientRect();
  return Math.max(0, box.top - window.innerHeight, -box.bottom);
}

/** Show one item wherever its topic is on the page. */
export function apply(item) {
  const [name, version, facts, html] = item;
  latest.set(name, item);
  const roots = [...rootsOf(name)];
  // Another visitor's topic may have the same version, so the version says nothing.
  const old = roots.filter((root) => isPersonalRoot(root) || versionOf(root) < version);
  // What stands around a piece that is newer (it came with its basket) is newer too.
  if (old.length === roots.length) {
    bind(name, facts, document);
  }
  for (const root of old) {
    show(root, html);
  }
}

/** The versions on the page are of another timeline: whatever comes next is newer. */
export function forget() {
  latest.clear();
  for (const root of document.querySelectorAll("[data-version]")) {
    root.dataset.version = -1;
  }
}

const versionOf = (root) => Number(root.dataset.version);

function show(root, html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  const fresh = template.content.firstElementChild;
  // A piece rendered a moment ago may hold pieces of which we have heard since.
  for (const inner of fresh.querySelectorAll("[data-topic]")) {
    const item = latest.get(inner.dataset.topic);
    if (item && versionOf(inner) < item[1]) {
      show(inner, item[3]);
      bind(item[0], item[2], fresh);
    }
  }
  const isNews = versionOf(root) !== versionOf(fresh);
  const now = morph(root, fresh);
  if (isNews) {
    now.classList.add("is-changed");
    now.addEventListener("animationend", () => now.classList.remove("is-changed"), { once: true });
  }
}

/** Put `fresh` in the place of `old`, but never swap what has the focus. */
function morph(old, fresh) {
  const focused = document.activeElement;
  const anchor = [...old.children].find((child) => child.contains(focused));
  const twin = anchor && twinOf(anchor, fresh);
  if (!twin) {
    const place = [...old.children].indexOf(anchor);
    old.replaceWith(fresh);
    if (anchor) {
      focusLike(focused, fresh.children[Math.min(place, fresh.children.length - 1)]);
    }
    return fresh;
  }
  for (const { name, value } of fresh.attributes) {
    old.setAttribute(name, value);
  }
  while (old.firstChild !== anchor) {
    old.firstChild.remove();
  }
  while (old.lastChild !== anchor) {
    old.lastChild.remove();
  }
  while (fresh.firstChild !== twin) {
    anchor.before(fresh.firstChild);
  }
  while (fresh.lastChild !== twin) {
    anchor.after(fresh.lastChild);
  }
  if (anchor !== focused) {
    morph(anchor, twin);
  } else if (anchor.matches("input")) {
    catchUp(anchor, twin.value);
  }
  return old;
}

/** What had the focus is gone: who works with the keyboard goes on where it was. */
function focusLike(gone, within) {
  const same = gone.name && within?.querySelector(`${gone.localName}[name="${gone.name}"]`);
  const next = same || within?.querySelector("a, button, input") || document.getElementById("main");
  next.focus({ preventScroll: true });
}

/** The element of `fresh` that stands for `anchor`. */
function twinOf(anchor, fresh) {
  const { key } = anchor.dataset;
  const isTwin = key
    ? (child) => child.dataset.key === key
    : (child, index) =>
        child.tagName === anchor.tagName &&
        child.name === anchor.name &&
        index === [...anchor.parentElement.children].indexOf(anchor);
  return [...fresh.children].find(isTwin);
}

/** A field that has the focus takes a newer value when it loses it, and only if nobody
 * has typed in it: what was typed is sent then, and wins. */
function catchUp(field, value) {
  if (field.value === value) {
    field.defaultValue = value;
    delete field.dataset.newer;
    return;
  }
  if (!("newer" in field.dataset)) {
    field.addEventListener("blur", leave, { once: true });
  }
  field.dataset.newer = value;
}

function leave({ target: field }) {
  const { newer } = field.dataset;
  delete field.dataset.newer;
  if (newer !== undefined && field.value === field.defaultValue) {
    field.value = field.defaultValue = newer;
  }
}

/** What stands outside the pushed partial because it can have the focus, or because
 * it depends on the line it is in. */
function bind(name, facts, within) {
  const [kind, id] = name.split(":");
  if (kind === "order") {
    // What its shopper may still do.
    for (const action of within.querySelectorAll(`[data-order="${id}"]`)) {
      action.hidden = !facts.may.includes(action.dataset.may);
    }
    return;
  }
  if (kind !== "stock") {
    return;
  }
  for (const button of within.querySelectorAll(`[data-buy="${id}"]`)) {
    button.disabled = facts.available < 1;
  }
  for (const offer of within.querySelectorAll(`[data-tell="${id}"]`)) {
    // "Tell me", unless somebody types in it just now.
    offer.hidden = facts.state !== "out" && !offer.contains(document.activeElement);
  }
  for (const note of within.querySelectorAll(`[data-back="${id}"]`)) {
    note.hidden = facts.available < 1;
  }
  for (const note of within.querySelectorAll(`[data-short="${id}"]`)) {
    note.hidden = facts.available >= Number(note.dataset.asked);
    note.querySelector("[data-left]").textContent = facts.available;
  }
}

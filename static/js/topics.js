/* The live pieces of a page: elements with data-topic and data-version. */

import { isPersonal } from "./live.js";

const latest = new Map(); // topic -> the newest item applied

const rootsOf = (name, within = document) =>
  within.querySelectorAll(`[data-topic="${name}"]`);

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
  if (isPersonal(root.dataset.topic)) {
    return -1; // always wanted
  }
  const box = root.getBoundingClientRect();
  return Math.max(0, box.top - window.innerHeight, -box.bottom);
}

/** Show one item wherever its topic is on the page. */
export function apply(item) {
  const [name, version, facts, html] = item;
  latest.set(name, item);
  for (const root of rootsOf(name)) {
    const has = Number(root.dataset.version);
    if (isPersonal(name) ? has !== version : has < version) {
      show(root, html);
    }
  }
  bind(name, facts, document);
}

function show(root, html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  const fresh = template.content.firstElementChild;
  // A piece rendered a moment ago may hold pieces of which we have heard since.
  for (const inner of fresh.querySelectorAll("[data-topic]")) {
    const item = latest.get(inner.dataset.topic);
    if (item && item[1] > Number(inner.dataset.version)) {
      show(inner, item[3]);
    }
  }
  for (const [name, , facts] of latest.values()) {
    bind(name, facts, fresh);
  }
  const now = morph(root, fresh);
  now.classList.add("is-changed");
  now.addEventListener("animationend", () => now.classList.remove("is-changed"), { once: true });
}

/** Put `fresh` in the place of `old`, but never swap what has the focus. */
function morph(old, fresh) {
  const focused = document.activeElement;
  const anchor = [...old.children].find((child) => child.contains(focused));
  const twin = anchor && twinOf(anchor, fresh);
  if (!twin) {
    old.replaceWith(fresh);
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
  } else if (anchor.matches("input") && anchor.value !== twin.value) {
    catchUpLater(anchor, twin.value);
  }
  return old;
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

/** A field that was left as it was takes the newer value when the focus leaves it. */
function catchUpLater(field, value) {
  const before = field.value;
  field.dataset.newer = value;
  if (field.dataset.waits) {
    return;
  }
  field.dataset.waits = "1";
  field.addEventListener(
    "blur",
    () => {
      if (field.value === before) {
        field.value = field.dataset.newer;
      }
      delete field.dataset.newer;
      delete field.dataset.waits;
    },
    { once: true },
  );
}

/** What stands outside the pushed partial because it can have the focus, or because
 * it depends on the line it is in. */
function bind(name, facts, within) {
  const [kind, id] = name.split(":");
  if (kind !== "stock") {
    return;
  }
  for (const button of within.querySelectorAll(`[data-buy="${id}"]`)) {
    button.disabled = facts.available < 1;
  }
  for (const note of within.querySelectorAll(`[data-short="${id}"]`)) {
    note.hidden = facts.available >= Number(note.dataset.asked);
    note.querySelector("[data-left]").textContent = facts.available;
  }
}

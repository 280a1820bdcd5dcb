/* The live pieces of a page: elements with data-topic and data-version. */

import { Idiomorph } from "./vendor/idiomorph.js";

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
  // If a root is newer, it came inside another partial, and so did what surrounds it.
  if (old.length === roots.length) {
    bind(name, facts, document);
  }
  for (const root of old) {
    update(root, parse(html));
  }
}

/** Take whatever comes next for newer: the versions on the page are of another timeline. */
export function forget() {
  latest.clear();
  for (const root of document.querySelectorAll("[data-version]")) {
    root.dataset.version = -1;
  }
}

const versionOf = (root) => Number(root.dataset.version);

/** Parse a partial. Where the page has a newer version of a topic inside it, that version
 * is put in its place. */
function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  const partial = template.content.firstElementChild;
  freshen(partial);
  return partial;
}

/** Put the newest versions of topics in the place of older ones inside an element that
 * comes into the page. */
export function freshen(element) {
  for (const root of element.querySelectorAll("[data-topic]")) {
    const newest = latest.get(root.dataset.topic);
    if (newest && versionOf(root) < newest[1]) {
      root.replaceWith(parse(newest[3]));
      bind(newest[0], newest[2], element);
    }
  }
}

/** Make a topic's root on the page equal to a new partial. What has the focus keeps it. */
function update(root, partial) {
  const isChanged = versionOf(root) !== versionOf(partial);
  const restoreFocus = rememberFocus(root);
  const [updated] = Idiomorph.morph(root, partial, { restoreFocus: false, callbacks });
  restoreFocus();
  if (isChanged) {
    updated.classList.add("is-changed");
    const done = () => updated.classList.remove("is-changed");
    updated.addEventListener("animationend", done, { once: true });
  }
}

const isFocusedField = (node) => node === document.activeElement && node.matches("input");

// A field that has the focus keeps its value.
const callbacks = {
  beforeAttributeUpdated: (name, element) => name !== "value" || !isFocusedField(element),
  afterNodeMorphed(node, newNode) {
    if (isFocusedField(node)) {
      offerValue(node, newNode.value);
    }
  },
};

/** Set a newer value of a field when the field loses the focus, unless the visitor has
 * typed something: that is sent then, and wins. */
function offerValue(field, value) {
  if (field.value === value) {
    field.defaultValue = value;
    delete field.dataset.newer;
    return;
  }
  if (!("newer" in field.dataset)) {
    field.addEventListener("blur", takeOffer, { once: true });
  }
  field.dataset.newer = value;
}

function takeOffer({ target: field }) {
  const { newer } = field.dataset;
  delete field.dataset.newer;
  if (newer !== undefined && field.value === field.defaultValue) {
    field.value = field.defaultValue = newer;
  }
}

/** Remember what has the focus in a root. Returns a function that moves the focus on if
 * its element has gone: to the same control of the next line, or to the next control. */
function rememberFocus(root) {
  const focused = document.activeElement;
  if (!root.contains(focused)) {
    return () => {};
  }
  const places = [];
  for (let node = focused; node !== root.parentElement; node = node.parentElement) {
    const parent = node.parentElement;
    places.push({ parent, index: [...parent.children].indexOf(node) });
  }
  return () => {
    if (document.activeElement === focused) {
      return;
    }
    const { parent, index } = places.find((place) => place.parent.isConnected);
    const next = parent.children[Math.min(index, parent.children.length - 1)];
    controlIn(next, focused).focus({ preventScroll: true });
  };
}

function controlIn(root, { localName, name }) {
  const same = name && root?.querySelector(`${localName}[name="${name}"]`);
  return same || root?.querySelector("a, button, input") || document.getElementById("main");
}

/** Update what depends on a topic's facts and is outside its partial, as a control that
 * can have the focus, or a note about one line. */
function bind(name, facts, within) {
  const [kind, id] = name.split(":");
  if (kind === "order") {
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
    // Keep the "Tell me" form while somebody types in it.
    offer.hidden = facts.state !== "out" && !offer.contains(document.activeElement);
  }
  for (const note of within.querySelectorAll(`[data-back="${id}"]`)) {
    note.hidden = facts.available < 1;
  }
  for (const note of within.querySelectorAll(`[data-preorder="${id}"]`)) {
    const asked = Number(note.dataset.asked); // 0: its units are reserved
    if (asked) {
      note.hidden = asked > facts.available || !(asked > (facts.now ?? facts.available));
    }
  }
  for (const note of within.querySelectorAll(`[data-short="${id}"]`)) {
    note.hidden = facts.available >= Number(note.dataset.asked);
    note.querySelector("[data-left]").textContent = facts.available;
  }
}

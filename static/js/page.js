/* Where the page's shop is, and who its visitor is. */

import { renew } from "./requests.js";

// What every address of the shop begins with: "/", or "/shop/" for a shop under a path.
export const basePath = document.querySelector('meta[name="shop-base"]').content;

/** The address of the shop's socket. */
export function socketUrl() {
  return new URL(`${basePath}ws/`, location.href).href.replace(/^http/, "ws");
}

// The key in localStorage, which all shops of an origin share. The value is the visitor's
// id and the time: "7@1700000000000".
const STORAGE_KEY = `shop-visitor:${basePath}`;
const page = document.documentElement.dataset;

/**
 * Tell the browser's other tabs who the visitor is, and follow them. This uses stored
 * state, as a tab that slept can read it when it wakes. A BroadcastChannel would miss it,
 * and would keep pages out of the back/forward cache.
 *
 * @param {() => void} changed called when this page's socket must be opened again
 */
export function visitor(changed) {
  let seen = read();
  const follow = () => {
    const now = read();
    if (now === seen) {
      return;
    }
    seen = now;
    changed();
    if (viewerOf(now) !== page.viewer) {
      renew().catch((error) => console.warn("The page is not renewed:", error));
    }
  };
  const announce = () => {
    seen = `${page.viewer}@${Date.now()}`;
    write(seen);
  };

  if (viewerOf(seen) !== page.viewer) {
    announce();
  }
  window.addEventListener("storage", ({ key }) => key === STORAGE_KEY && follow());
  return { announce, follow };
}

const viewerOf = (text) => text?.split("@")[0];

// Where storage is forbidden, tabs cannot tell each other.
function read() {
  try {
    return localStorage.getItem(STORAGE_KEY);
  } catch {
    return null;
  }
}

function write(text) {
  try {
    localStorage.setItem(STORAGE_KEY, text);
  } catch (error) {
    console.warn("Other tabs will not follow:", error);
  }
}

/** Renew the page for another visitor, as the server asks. Returns whether the visitor
 * has been signed out. */
export async function becomeAnother() {
  const before = page.viewer;
  await renew();
  return before !== "" && page.viewer === "";
}

/* Where the page's shop is, and who its visitor is. */

import { renew } from "./requests.js";

// What every address of the shop begins with: "/", or "/shop/" for a shop under a path.
export const basePath = document.querySelector('meta[name="shop-base"]').content;

/** The address of the shop's socket. */
export function socketUrl() {
  return new URL(`${basePath}ws/`, location.href).href.replace(/^http/, "ws");
}

// In localStorage, which all shops of an origin share: the viewer's id, and when they came.
const PLACE = `shop-visitor:${basePath}`;
const page = document.documentElement.dataset;

/**
 * Keep the tabs of a browser agreed on whom they show. State rather than messages: a
 * tab that slept finds it when it wakes, and it keeps no page out of the back/forward
 * cache, as a BroadcastChannel does.
 *
 * @param {() => void} changed called when this page's sockets must be opened anew
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
  window.addEventListener("storage", ({ key }) => key === PLACE && follow());
  return { announce, follow };
}

const viewerOf = (text) => text?.split("@")[0];

// Where storage is forbidden each tab is on its own.
function read() {
  try {
    return localStorage.getItem(PLACE);
  } catch {
    return null;
  }
}

function write(text) {
  try {
    localStorage.setItem(PLACE, text);
  } catch (error) {
    console.warn("Other tabs are not told:", error);
  }
}

/** The server says that the visitor is no longer who the page was made for: make it
 * theirs. Returns whether they have been signed out. */
export async function becomeAnother() {
  const before = page.viewer;
  await renew();
  return before !== "" && page.viewer === "";
}

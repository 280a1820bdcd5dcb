/* The pulse page: asks for its inner part every few seconds. Behind a balancer several
 * processes answer in turn; each has a part of the page, for as long as it is heard of. */

import "./staff.js";

const PATIENCE_MS = 10_000;
const SILENT_MS = 15_000; // then the numbers are called old
const GONE_MS = 60_000; // a process that others have answered for since

const list = document.getElementById("pulse");
const silent = document.getElementById("pulse-silent");
const button = document.querySelector("[data-pause]");
const every = 1_000 * Number(list.dataset.every);
const heard = new Map([...list.children].map((part) => [part.id, Date.now()]));
let answered = Date.now();

async function fragment() {
  const address = new URL(location.href);
  address.hash = "";
  address.searchParams.set("fragment", "1");
  const response = await fetch(address, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (response.redirected || response.status === 403) {
    location.reload(); // signed out, or the rights are gone: the server says which
    throw new Error("this page is not for you any more");
  }
  if (!response.ok) {
    throw new Error(`${response.status} ${response.statusText}`);
  }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return page.querySelector("[data-process]");
}

function take(part) {
  const old = document.getElementById(part.id);
  old ? old.replaceWith(part) : list.append(part);
  answered = Date.now();
  heard.set(part.id, answered);
  for (const [id, when] of heard) {
    if (answered - when > GONE_MS) {
      heard.delete(id);
      document.getElementById(id)?.remove();
    }
  }
}

const isPaused = () => button.getAttribute("aria-pressed") === "true";

async function look() {
  if (!document.hidden && !isPaused()) {
    try {
      take(await fragment());
    } catch (error) {
      console.warn("The pulse is not renewed:", error);
    }
    silent.hidden = Date.now() - answered < SILENT_MS;
  }
  setTimeout(look, every);
}

button.addEventListener("click", () => {
  button.setAttribute("aria-pressed", String(!isPaused()));
  if (!isPaused()) {
    answered = Date.now(); // it was nobody's fault
  }
});

setTimeout(look, every);

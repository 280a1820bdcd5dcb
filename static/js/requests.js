/* Requests to the shop: pages and parts of pages, forms, and the forms' token. */

const TIMEOUT_MS = 15_000;

const visitor = document.documentElement.dataset;
const tokenFields = (root) => root.querySelectorAll("[name=csrfmiddlewaretoken]");

/**
 * Fetch a page, or a part of one.
 *
 * @param {string | URL} address
 * @param {AbortSignal} signal aborts the request
 * @returns {Promise<{response: Response, page: Document}>}
 * @throws when there is no answer, in time or at all; an error page is an answer
 */
export async function fetchPage(address, signal = AbortSignal.timeout(TIMEOUT_MS)) {
  const response = await fetch(address, { signal });
  const html = await response.text();
  return { response, page: new DOMParser().parseFromString(html, "text/html") };
}

/**
 * Post a form with the page's token.
 *
 * @param {string} address
 * @param {FormData} body
 * @param {RequestInit} options more options of `fetch`
 * @returns {Promise<object>} the JSON that the server answered, with `isDone`: false if
 *   the server refused the form
 * @throws when the answer is anything else, or does not come in time
 */
export async function post(address, body = new FormData(), options = {}) {
  let response = await sendForm(address, body, options);
  if (response.status === 403 && !isJson(response)) {
    // Signing in or out in another tab has made this page's token invalid.
    await renew();
    response = await sendForm(address, body, options);
  }
  if (isJson(response)) {
    return { ...(await response.json()), isDone: response.ok };
  }
  if (response.status === 204) {
    return { isDone: true };
  }
  throw new Error(`${response.status} ${response.statusText}`);
}

function sendForm(address, body, options) {
  body.set("csrfmiddlewaretoken", tokenFields(document)[0].value);
  return fetch(address, {
    method: "POST",
    body,
    headers: { Accept: "application/json" },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...options,
  });
}

const isJson = ({ headers }) => headers.get("Content-Type")?.startsWith("application/json");

/** Fetch this page again, and take from it what depends on the visitor: the forms'
 * token, the account in the header, and who the visitor is. */
export async function renew() {
  const { response, page } = await fetchPage(location.href);
  if (response.redirected) {
    location.replace(response.url); // the visitor may not see this page any more
  }
  const token = tokenFields(page)[0]?.value;
  if (!token) {
    throw new Error(`no token on ${location.pathname}: ${response.status}`);
  }
  const oldAccount = document.querySelector("[data-account]");
  const newAccount = page.querySelector("[data-account]");
  if (oldAccount && newAccount && !oldAccount.contains(document.activeElement)) {
    oldAccount.replaceWith(newAccount);
  }
  for (const field of tokenFields(document)) {
    field.value = token;
  }
  visitor.viewer = page.documentElement.dataset.viewer;
}

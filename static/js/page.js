/* What a page holds of its visitor besides live topics: who it is, and the forms'
 * tokens, which change when somebody signs in or out. */

/** Take them from the page as the server would show it now. Returns the token. */
export async function renew() {
  const response = await fetch(location.href, { signal: AbortSignal.timeout(15_000) });
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const token = fresh.querySelector("[name=csrfmiddlewaretoken]")?.value;
  if (!token) {
    throw new Error(`No token on ${location.pathname}: ${response.status}`);
  }
  const here = document.querySelector("[data-account]");
  const now = fresh.querySelector("[data-account]");
  if (here && now && !here.contains(document.activeElement)) {
    here.replaceWith(now);
  }
  for (const field of document.querySelectorAll("[name=csrfmiddlewaretoken]")) {
    field.value = token;
  }
  document.documentElement.dataset.viewer = fresh.documentElement.dataset.viewer;
  return token;
}

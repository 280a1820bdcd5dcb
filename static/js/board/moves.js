/* Forms that move an order to its next status, without a reload. */

import { boardVersion } from "./cards.js";
import { showMessage, showMessages } from "../messages.js";
import { post } from "../requests.js";

/**
 * Submit the forms with `data-move` from this script.
 *
 * @param {(versionBefore: number) => void} accepted called when the order has moved, with the
 *   board's version before
 * @param {() => void} refused called when it has not, or when that is not known
 */
export function enhanceMoves(accepted, refused) {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-move]")) {
      return;
    }
    event.preventDefault();
    if (!form.hasAttribute("aria-busy")) {
      const versionBefore = boardVersion();
      if (await submit(form)) {
        accepted(versionBefore);
      } else {
        refused();
      }
    }
  });
}

async function submit(form) {
  form.setAttribute("aria-busy", "true");
  try {
    const { isDone, messages } = await post(form.action, new FormData(form));
    showMessages(messages);
    if (isDone) {
      close(form);
    }
    return isDone;
  } catch (error) {
    console.error("The form was not sent:", error);
    showMessage("error", "failed");
    return false;
  } finally {
    form.removeAttribute("aria-busy");
  }
}

function close(form) {
  form.reset();
  form.closest("details")?.removeAttribute("open");
  if (form.contains(document.activeElement) && document.activeElement.matches("input, textarea")) {
    document.activeElement.blur();
  }
}

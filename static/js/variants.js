/* The grid of variants in the admin: one box ticks all, and rows are dragged into another
 * order. Without this module one ticks each box and types the positions. */

const all = document.querySelector("[data-all]");
const rows = document.querySelector("[data-rows]");

if (all && rows) {
  const boxes = () => [...rows.querySelectorAll("[name$='-chosen']")];
  const show = () => {
    const chosen = boxes().filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
  };
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes()) {
      box.checked = all.checked;
    }
  });
  rows.addEventListener("change", show);
  show();

  let dragged = null;
  for (const handle of rows.querySelectorAll(".variants__handle")) {
    handle.hidden = false;
    handle.addEventListener("dragstart", (event) => {
      dragged = handle.closest("[data-row]");
      dragged.classList.add("is-dragged");
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setDragImage(dragged, 0, 0);
    });
    handle.addEventListener("dragend", () => {
      dragged?.classList.remove("is-dragged");
      dragged = null;
      number();
    });
  }
  rows.addEventListener("dragover", (event) => {
    const row = event.target.closest("[data-row]");
    if (!dragged || !row || row === dragged) {
      return;
    }
    event.preventDefault();
    const { top, height } = row.getBoundingClientRect();
    const isBelow = event.clientY > top + height / 2;
    row[isBelow ? "after" : "before"](dragged);
  });
  rows.addEventListener("drop", (event) => event.preventDefault());
}

/** Number the rows in their order. */
function number() {
  for (const [index, row] of [...rows.querySelectorAll("[data-row]")].entries()) {
    const field = row.querySelector("[name$='-position']:not([type='hidden'])");
    field.value = index + 1;
  }
}

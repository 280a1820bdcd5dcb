/* A drop's room for staff: the figures follow the topic that everybody in the room has. */

import "./staff.js";

const figures = document.querySelector("[data-room]");

document.addEventListener("live:item", ({ detail: [name, , facts] }) => {
  if (name !== figures.dataset.room) {
    return;
  }
  if (!figures.dataset.began && facts.state !== "planned") {
    location.reload(); // the buttons are others now
    return;
  }
  if (facts.state === "planned") {
    return; // no step has counted yet
  }
  for (const figure of figures.querySelectorAll("[data-fact]")) {
    figure.textContent = facts[figure.dataset.fact] ?? "–";
  }
});

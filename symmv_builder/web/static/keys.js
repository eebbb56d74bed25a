// Keys of a page: an element with data-key is pressed, or a field is gone to, by that key.
"use strict";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const at = event.target;
  if (at.matches("input:not([type=radio]), select, textarea")) {
    if (event.key === "Escape") at.blur();
    return;
  }
  const found = [...document.querySelectorAll("[data-key]")]
    .find((each) => each.dataset.key === event.key.toLowerCase());
  if (!found) return;
  event.preventDefault();
  if (found.matches("button")) found.click();
  else found.focus();
});

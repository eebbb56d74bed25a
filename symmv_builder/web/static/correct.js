// Of a page of corrections: a time that is selected goes to the players, and N in a field of a time
// takes the player's.
"use strict";

(() => {
  const players = [...document.querySelectorAll("#players video, #players audio")];
  const lead = players[0];
  if (!lead) return;
  const named = (name) => players.find((each) => each.dataset.name === name) || lead;

  document.querySelectorAll("[data-go]").forEach((each) => each.addEventListener("click", () => {
    const player = named("video");
    player.currentTime = Number(each.dataset.go);
  }));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.key.toLowerCase() !== "n") return;
    const field = event.target;
    if (!field.matches("input[data-now]")) return;
    event.preventDefault();
    field.value = named(field.dataset.now).currentTime.toFixed(3);
  });
})();

// Tells how far takes are without asking for the page again, which is done when one has ended.
"use strict";

(() => {
  const box = document.getElementById("progress");
  if (!box) return;
  const EVERY_MS = 1000;

  const look = async () => {
    const answer = await fetch(box.dataset.state);
    if (!answer.ok) return;
    const takes = (await answer.json()).takes;
    for (const row of box.querySelectorAll("[data-take]")) {
      const take = takes.find((each) => String(each.number) === row.dataset.take);
      const isOpen = take && (take.state === "waiting" || take.state === "running");
      if (!isOpen) { location.reload(); return; }
      row.querySelector("progress").value = take.share;
      row.dataset.now = take.state;
      if (take.doing) row.querySelector(".doing").textContent = take.doing;
    }
  };
  const tick = () => {
    look().catch(() => {}).finally(() => setTimeout(tick, EVERY_MS));
  };
  setTimeout(tick, EVERY_MS);
})();

// Keeps the players of one entry together. The first leads; times of the music go through the
// alignment. Only what is chosen under "Hear" sounds.
"use strict";

(() => {
  const box = document.getElementById("players");
  if (!box || !box.dataset.points) return;
  const points = JSON.parse(box.dataset.points);
  const players = [...box.querySelectorAll("video, audio")];
  const lead = players[0];
  const roll = document.getElementById("roll");
  const drawing = roll && roll.querySelector("svg");
  const cursor = roll && roll.querySelector("#cursor");
  const scale = drawing ? Number(drawing.dataset.scale) : 0;
  // Where the drawing begins, in seconds of the video.
  const start = Number(box.dataset.start) || 0;
  // Further apart than this is heard.
  const APART_S = 0.12;

  const mapped = (time, from, to) => {
    if (points.length === 0) return time;
    const first = points[0];
    const last = points[points.length - 1];
    if (time <= first[from]) return Math.max(0, first[to] + time - first[from]);
    if (time >= last[from]) return last[to] + time - last[from];
    const next = points.findIndex((each) => each[from] > time);
    const [a, b] = [points[next - 1], points[next]];
    const share = (time - a[from]) / (b[from] - a[from] || 1);
    return a[to] + share * (b[to] - a[to]);
  };
  const isOfVideo = (player) => player.dataset.name === "video";
  // Seconds of the video's clock at which a player stands, and the other way.
  const here = (player) =>
    isOfVideo(player) ? player.currentTime : mapped(player.currentTime, 1, 0);
  const there = (player, time) => (isOfVideo(player) ? time : mapped(time, 0, 1));

  const gather = (always) => {
    const time = here(lead);
    players.slice(1).forEach((each) => {
      const goal = there(each, time);
      const isBeyond = Number.isFinite(each.duration) && goal >= each.duration;
      if (isBeyond) { each.pause(); return; }
      if (always || Math.abs(each.currentTime - goal) > APART_S) each.currentTime = goal;
    });
  };
  const hear = (name) => players.forEach((each) => { each.muted = each.dataset.name !== name; });
  const draw = () => {
    if (!cursor) return;
    const x = (here(lead) - start) * scale;
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    const seen = roll.clientWidth;
    if (x < roll.scrollLeft || x > roll.scrollLeft + 0.8 * seen) roll.scrollLeft = x - 0.2 * seen;
  };
  const go = (time) => {
    lead.currentTime = Math.max(0, there(lead, time));
    gather(true);
    draw();
  };

  lead.addEventListener("play", () => {
    gather(true);
    players.slice(1).forEach((each) => each.play().catch(() => {}));
    const tick = () => {
      draw();
      if (!lead.paused) requestAnimationFrame(tick);
    };
    tick();
  });
  lead.addEventListener("pause", () => players.slice(1).forEach((each) => each.pause()));
  lead.addEventListener("seeked", () => { gather(true); draw(); });
  lead.addEventListener("timeupdate", () => gather(false));
  lead.addEventListener("ratechange", () =>
    players.slice(1).forEach((each) => { each.playbackRate = lead.playbackRate; }));
  lead.addEventListener("loadedmetadata", () => {
    if (start > 0) go(start);
  });

  const ears = [...box.querySelectorAll("input[name=ear]")];
  ears.forEach((each) => each.addEventListener("change", () => hear(each.value)));
  const chosen = ears.find((each) => each.checked);
  if (chosen) hear(chosen.value);
  const other = document.getElementById("other");
  if (other) {
    other.addEventListener("click", () => {
      const at = ears.findIndex((each) => each.checked);
      const next = ears[(at + 1) % ears.length];
      next.checked = true;
      hear(next.value);
    });
  }
  const play = document.getElementById("play");
  if (play) {
    play.addEventListener("click", () => {
      if (lead.paused) lead.play().catch(() => {});
      else lead.pause();
    });
  }
  if (roll) {
    roll.addEventListener("click", (event) =>
      go(start + (event.clientX - drawing.getBoundingClientRect().left) / scale));
    roll.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      go(here(lead) + step);
    });
  }
})();

// The page of a listening study: one step after the other, each kept on this device once it is done.
// Every text of the study is put in as text; nothing is asked of another host.
"use strict";

const study = JSON.parse(document.body.dataset.study);
const store = document.body.dataset.store;
const place = "symmv-study-" + study.study;
const main = document.getElementById("step");
let state = restored();

function restored() {
  try {
    const kept = JSON.parse(localStorage.getItem(place));
    if (kept && kept.study === study.study && study.sessions[kept.session - 1]) return kept;
  } catch (error) { /* nothing was kept, or it cannot be read: begin anew */ }
  return null;
}

function keep() {
  // Without a place to keep it (private windows) the study goes on, but cannot be resumed.
  try { localStorage.setItem(place, JSON.stringify(state)); } catch (error) { /* see above */ }
}

function make(kind, attributes = {}, ...inner) {
  const node = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false) node.setAttribute(name, value);
  }
  node.append(...inner);
  return node;
}

function show(title, ...inner) {
  main.replaceChildren(make("h2", { tabindex: "-1" }, title), ...inner);
  const progress = document.getElementById("progress");
  progress.replaceChildren();
  if (state) {
    const of = steps().length, done = Math.min(state.step, of);
    progress.append(
      make("progress", { max: of, value: done, "aria-label": "progress" }),
      make("span", {}, `${done} of ${of}`));
  }
  window.scrollTo(0, 0);
  main.querySelector("h2").focus({ preventScroll: true });
}

// What this rater goes through, as [kind, name or number, whether the two pieces change places].
function steps() {
  const tests = study.headphones.map((_, number) => ["headphones", number, 0]);
  const trials = study.sessions[state.session - 1].map(([name, swapped]) =>
    [name in study.checks ? "check" : study.trials[name].kind, name, swapped]);
  return [...tests, ...trials];
}

function next() {
  if (!state) return welcome();
  const [kind, name, swapped] = steps()[state.step] || ["end"];
  ({ headphones, check, pair: trial, rating: trial, series: trial, end })[kind](name, swapped);
}

function done() {
  state.step += 1;
  keep();
  send();
  next();
}

// --- the first page

function welcome() {
  const agree = make("input", { type: "checkbox", id: "agree", required: true });
  const training = radios("training",
    "Do you have training in composing or playing music?", [["yes", "Yes"], ["no", "No"]], "row");
  const form = make("form", { onsubmit: begin },
    make("article", {}, ...study.consent.map((line) => make("p", {}, line)),
      make("label", { class: "agree" }, agree, " I have read this and want to take part.")),
    make("article", {}, training),
    make("button", { type: "submit" }, "Begin"));
  show("Before you begin", form);
}

async function begin(event) {
  event.preventDefault();
  const expert = new FormData(event.target).get("training") === "yes";
  event.target.querySelector("button").disabled = true;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const rater = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const session = await sessionNumber();
  state = { format: "symmv-study-answers/1", study: study.study, rater, session, expert,
    started: new Date().toISOString(), step: 0, headphones: [], trials: {} };
  keep();
  next();
}

// The one of the link (#7), the next one of the answer store, or any.
async function sessionNumber() {
  const count = study.sessions.length;
  let number = parseInt(location.hash.slice(1), 10);
  if (!(number > 0) && store) {
    try {
      const answer = await fetch("session", { method: "POST" });
      if (answer.ok) number = (await answer.json()).session;
    } catch (error) { /* any will do */ }
  }
  if (!(number > 0)) number = 1 + Math.floor(Math.random() * count);
  return 1 + (number - 1) % count;
}

// --- checks

function headphones(number) {
  const sound = player("audio", study.headphones[number], "three tones");
  const choice = radios("answer", "Which of the three tones is the quietest?",
    [[1, "First"], [2, "Second"], [3, "Third"]], "row");
  const form = make("form", { onsubmit: (event) => {
    event.preventDefault();
    state.headphones[number] = Number(new FormData(form).get("answer"));
    done();
  } }, make("article", {}, make("p", {}, number ? "Once more, with other tones." :
    "Please put on headphones and set a comfortable loudness. Then play the sound."),
  sound.box, choice), make("button", { type: "submit" }, "Next"));
  show(`Headphones, ${number + 1} of ${study.headphones.length}`, form);
}

function check(name) {
  const sound = player("audio", study.checks[name], "tones to count");
  const counts = Array.from({ length: study.most_counted }, (_, n) => [n + 1, String(n + 1)]);
  const began = Date.now();
  const form = make("form", { onsubmit: (event) => {
    event.preventDefault();
    finish(name, { count: Number(new FormData(form).get("count")) }, began);
  } }, make("article", {}, sound.box,
    radios("count", "How many tones do you hear?", counts, "row")),
  make("button", { type: "submit" }, "Next"));
  show("A short check", form);
}

// --- what is judged

function trial(name, swapped) {
  const { kind, media } = study.trials[name];
  const shown = kind === "pair" && swapped ? [...media].reverse() : media;
  const labels = shown.map((_, n) => shown.length === 1 ? "Video" : kind === "pair" ?
    `Video ${"AB"[n]}` : `Video ${n + 1}`);
  const players = shown.map((file, n) => player("video", file, labels[n]));
  const asked = study.questions.filter((each) =>
    each.kind === kind && (!each.experts || state.expert));
  const began = Date.now();
  const button = make("button", { type: "submit" }, "Next");
  const wait = make("p", { class: "about", id: "wait", role: "status" });
  const form = make("form", { onsubmit: (event) => {
    event.preventDefault();
    const given = new FormData(form), answers = {};
    if (!ready()) return;
    for (const each of asked) answers[each.name] = Number(given.get(each.name));
    finish(name, answers, began);
  } },
  make("div", { class: `pieces ${kind}` }, ...players.map((each, n) =>
    make("article", {}, make("h3", {}, labels[n]), each.box))),
  make("article", { class: "questions" }, ...asked.map(scale)),
  wait, make("div", { class: "last" }, button, make("button", { type: "button", class: "plain",
    hidden: true, onclick: () => finish(name, {}, began) }, "Go on without this one")));
  const leave = form.querySelector(".plain");

  function ready() {
    const broken = players.some((each) => each.fails());
    const heard = players.every((each) => each.share() >= study.hear);
    leave.hidden = !broken;
    button.disabled = broken || !heard;
    wait.textContent = broken ? "A piece cannot be played here." : heard ? "" :
      "Please play " + (players.length > 1 ? "every piece" : "the piece") + " before you go on.";
    return heard && !broken;
  }
  for (const each of players) each.watch(ready);
  ready();
  show(kind === "pair" ? "Compare the two" : kind === "series" ? "Judge them together" :
    "Judge the music", form);
}

function finish(name, answers, began) {
  const seconds = Math.round((Date.now() - began) / 100) / 10;
  state.trials[name] = { answers, seconds };
  done();
}

function scale(question) {
  const { points, kind } = question;
  const words = Array.from({ length: points }, (_, n) => [n + 1, String(n + 1)]);
  if (kind === "pair") {
    const half = Math.floor(points / 2);
    words.forEach((word, n) => { word[1] = pairWord(n, points, half); });
    return radios(question.name, question.text, words, points === 2 ? "row" : "scale words");
  }
  return radios(question.name, question.text, words, "scale", question.low, question.high);
}

function pairWord(n, points, half) {
  if (points % 2 && n === half) return "No preference";
  const side = n < half ? "A" : "B", strength = n < half ? half - n : n - (points - half) + 1;
  if (half === 1) return side;
  if (half === 2) return `${side}, ${strength === 2 ? "strongly" : "slightly"}`;
  return `${side} +${strength}`;
}

function radios(name, legend, choices, look, low, high) {
  const inner = choices.map(([value, word]) => make("label", {},
    make("input", { type: "radio", name, value, required: true }), make("span", {}, word)));
  const ends = low || high ? [make("div", { class: "ends" },
    make("span", {}, `${choices[0][1]}: ${low}`),
    make("span", {}, `${choices[choices.length - 1][1]}: ${high}`))] : [];
  return make("fieldset", {}, make("legend", {}, legend),
    make("div", { class: look }, ...inner), ...ends);
}

// A player, the share of it that was played, and whether it fails.
function player(kind, file, label) {
  const node = make(kind, { controls: true, preload: "auto", src: file, playsinline: true,
    "aria-label": label, controlslist: "nodownload" });
  let broken = false;
  node.addEventListener("play", () => {
    for (const other of main.querySelectorAll("video, audio")) if (other !== node) other.pause();
  });
  node.addEventListener("error", () => { broken = true; });
  return {
    box: node,
    fails: () => broken,
    share() {
      let seconds = 0;
      for (let n = 0; n < node.played.length; n += 1) {
        seconds += node.played.end(n) - node.played.start(n);
      }
      return study.hear === 0 ? 1 : node.duration > 0 ? Math.min(1, seconds / node.duration + 0.02) : 0;
    },
    watch(tell) {
      for (const event of ["timeupdate", "ended", "pause", "error", "loadedmetadata"]) {
        node.addEventListener(event, tell);
      }
    },
  };
}

// --- the end

function answers() {
  return JSON.stringify(state);
}

// One after the other, so that what arrives last is what was answered last.
let sending = Promise.resolve(false);

function send() {
  if (store) {
    const body = answers();
    sending = sending.then(() => post(body));
  }
  return sending;
}

async function post(body) {
  try {
    const answer = await fetch(store, { method: "POST", body,
      headers: { "Content-Type": "application/json" } });
    return answer.ok;
  } catch (error) { return false; }
}

async function end() {
  const said = make("p", { role: "status" }, store ? "Your answers are being sent." :
    "Please download your answers and send the file to whoever invited you.");
  const file = new Blob([answers()], { type: "application/json" });
  const link = make("a", { class: "button", download: `answers-${state.rater.slice(0, 8)}.json`,
    href: URL.createObjectURL(file) }, "Download your answers");
  const anew = make("button", { type: "button", class: "plain", onclick: () => {
    state = null;
    try { localStorage.removeItem(place); } catch (error) { /* nothing was kept */ }
    next();
  } }, "Another person on this device");
  show("Thank you", make("article", {}, said, make("div", { class: "last" }, link, anew)));
  if (!store) return;
  const sent = await send();
  said.textContent = sent ? "Your answers have arrived. You can close this page." :
    "Your answers could not be sent. Please download them and send us the file.";
  link.hidden = sent;
}

next();

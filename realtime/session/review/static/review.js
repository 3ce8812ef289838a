// The review page: time line, frame, one event's loops, and the coder's steps. No library, no build, no network.

import { moveWords } from "./static/moves.js"; // as the live page words it
import { drawCurves, drawField, drawLine, rowOf, timeOf, tone } from "./draw.js";

const $ = (id) => document.getElementById(id);
const AHEAD = 3; // events whose loops are made while one is looked at
let session, coding, chosen = null, row = 0, loop = null, tick = 0, asked = 0;
const draft = {}, loops = new Map();

const jpeg = (text) => `data:image/jpeg;base64,${text}`;

async function get(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer.json();
}

function say(error) {
  $("error").hidden = !error;
  $("error").textContent = error ? error.message : "";
}

const event = () => coding.events.find((one) => one.id === chosen);

const showLine = () => drawLine(session, coding.events, chosen, row);

function go(to) {
  row = Math.max(0, Math.min(session.index.length - 1, to));
  $("where").textContent = `frame ${session.index[row]}, ${session.t_s[row].toFixed(3)} s`;
  $("frame").src = `frame/${row}`;
  showLine();
}

// The newest loops are kept; a moved moment or another gain asks anew.
function loopOf(one) {
  const key = [one.id, one.onset_frame, one.apex_frame, one.offset_frame, $("gain").value].join();
  if (!loops.has(key)) {
    const asking = get(`loop/${encodeURIComponent(one.id)}?gain=${$("gain").value}`);
    asking.catch(() => loops.delete(key));
    loops.set(key, asking);
    if (loops.size > AHEAD + 2) loops.delete(loops.keys().next().value);
  }
  return loops.get(key);
}

async function makeAhead(mine) {
  const at = coding.events.findIndex((one) => one.id === chosen);
  for (const next of coding.events.slice(at + 1, at + 1 + AHEAD)) {
    if (mine !== asked) return;
    await loopOf(next).catch(() => {});
  }
}

async function choose(id) {
  chosen = id;
  const one = event();
  loop = null;
  tick = 0;
  for (const name of ["plain", "magnified", "at-onset", "at-apex", "at-offset"]) $(name).removeAttribute("src");
  $("why").textContent = "";
  drawCurves(loop);
  drawField(loop);
  drawAll();
  if (!one) return;
  go(rowOf(session, one.apex_frame));
  const mine = ++asked;
  try {
    const found = await loopOf(one);
    if (mine !== asked) return;
    loop = found;
    makeAhead(mine);
    const still = (frame) => loop.plain[Math.max(0, loop.index.findIndex((n) => n >= frame))];
    for (const part of ["onset", "apex", "offset"]) {
      const frame = one[`${part}_frame`];
      if (frame !== null && loop.plain.length) $(`at-${part}`).src = jpeg(still(frame)); else $(`at-${part}`).removeAttribute("src");
    }
    const words = moveWords(loop.moves, loop.ms, false) || "hardly anything moved";
    $("why").textContent = loop.why || `${words}; the head ${loop.head_px.toFixed(1)} px`;
    drawCurves(loop);
  } catch (error) { say(error); }
}

function drawEvent() {
  const one = event();
  const words = { accepted: "accepted", rejected: "rejected" };
  $("title").textContent = one
    ? `${one.added ? "added" : `#${one.id}`} ${one.label}, ${words[one.verdict] ?? "open"}, frames ${one.onset_frame}, ${one.apex_frame}, ${one.offset_frame ?? "?"}`
    : "no event";
  $("comment").value = one ? one.comment : "";
  for (const button of document.querySelectorAll(".class")) button.setAttribute("aria-pressed", String(one?.label === button.dataset.label));
  $("accept").setAttribute("aria-pressed", String(one?.verdict === "accepted"));
  $("reject").setAttribute("aria-pressed", String(one?.verdict === "rejected"));
  const machine = session.machine.find((m) => String(m.id) === chosen);
  $("bars").replaceChildren(...session.classes.filter(() => machine).map((name) => {
    const line = document.createElement("div"), bar = document.createElement("b"), p = machine.probs[name];
    line.className = "bar";
    bar.style.cssText = `background:${tone(name)};width:${Math.round(p * 100)}%`;
    line.append(name, bar, p.toFixed(2));
    return line;
  }));
}

function drawAll() {
  const share = (value) => (value === null ? "–" : value.toFixed(2));
  const told = [["machine", coding.machine], ...Object.entries(coding.coders)];
  $("agreement").textContent = told.map(([name, a]) => `${name} and you: F1 ${share(a.f1)}, kappa ${share(a.kappa)} (${a.pairs} pairs)`).join("; ");
  $("list").replaceChildren(...coding.events.map((one) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.textContent = `${one.added ? "+" : "#"}${one.id} ${one.label} ${timeOf(session, one.apex_frame).toFixed(2)} s ${{ accepted: "✓", rejected: "✗" }[one.verdict] ?? ""}`;
    button.className = one.verdict ?? "";
    button.setAttribute("aria-pressed", String(one.id === chosen));
    button.addEventListener("click", () => choose(one.id));
    item.append(button);
    return item;
  }));
  drawEvent();
  showLine();
}

async function step(content) {
  try {
    coding = await get("step", { method: "POST", body: JSON.stringify(content), headers: { "Content-Type": "application/json" } });
    say(null);
  } catch (error) { say(error); }
  drawAll();
}

function near(by) {
  const at = coding.events.findIndex((one) => one.id === chosen);
  const next = coding.events[at + by];
  return next ? choose(next.id) : undefined;
}

async function decide(op) {
  if (!event()) return;
  await step({ op, id: chosen });
  await near(1);
}

const relabel = (label) => event() && step({ op: "relabel", id: chosen, label });
const move = (part) => event() && step({ op: "move", id: chosen, part, frame: session.index[row] }).then(() => choose(chosen));

function mark(part) {
  draft[part] = session.index[row];
  $("draft").textContent = ["onset", "apex", "offset"].map((name) => `${name} ${draft[name] ?? "–"}`).join(", ");
}

async function addEvent() {
  if (["onset", "apex", "offset"].some((part) => draft[part] === undefined)) return say(new Error("Mark onset, apex and offset first."));
  await step({ op: "add", label: event()?.label ?? session.classes[0], onset_frame: draft.onset, apex_frame: draft.apex, offset_frame: draft.offset });
}

const KEYS = {
  a: () => decide("accept"), r: () => decide("reject"), u: () => step({ op: "undo" }), j: () => near(1), k: () => near(-1),
  o: () => move("onset"), p: () => move("apex"), f: () => move("offset"),
};

addEventListener("keydown", (press) => {
  if (press.ctrlKey || press.metaKey || press.altKey || press.target.tagName === "INPUT") return;
  const by = press.shiftKey ? 10 : 1;
  if (press.key === "ArrowLeft") go(row - by);
  else if (press.key === "ArrowRight") go(row + by);
  else if (session.classes[press.key - 1]) relabel(session.classes[press.key - 1]);
  else if (KEYS[press.key.toLowerCase()]) KEYS[press.key.toLowerCase()]();
  else return;
  press.preventDefault();
});
$("line").addEventListener("click", (click) => {
  const first = session.t_s[0], t = first + (click.offsetX / $("line").clientWidth) * (session.t_s.at(-1) - first);
  go(session.t_s.findIndex((other) => other >= t));
});
$("at-apex").addEventListener("load", () => drawField(loop));
$("back").addEventListener("click", () => go(row - 1));
$("on").addEventListener("click", () => go(row + 1));
$("accept").addEventListener("click", () => decide("accept"));
$("reject").addEventListener("click", () => decide("reject"));
$("undo").addEventListener("click", () => step({ op: "undo" }));
$("add").addEventListener("click", addEvent);
for (const part of ["onset", "apex", "offset"]) $(`add-${part}`).addEventListener("click", () => mark(part));
for (const button of document.querySelectorAll(".move")) button.addEventListener("click", () => move(button.dataset.part));
$("comment").addEventListener("change", () => event() && step({ op: "comment", id: chosen, text: $("comment").value }));
$("gain").addEventListener("input", () => { $("times").value = $("gain").value;
  document.querySelector(".times").textContent = $("gain").value;
});
$("gain").addEventListener("change", () => choose(chosen));
addEventListener("resize", () => { showLine(); drawCurves(loop); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { drawClasses(); drawAll(); drawCurves(loop); });

// One frame of the loop at an eighth of its speed.
function play() {
  let wait = 40;
  if (loop && loop.plain.length) {
    tick = (tick + 1) % loop.plain.length;
    $("plain").src = jpeg(loop.plain[tick]);
    $("magnified").src = jpeg(loop.magnified[tick]);
    const seconds = timeOf(session, loop.index.at(-1)) - timeOf(session, loop.index[0]);
    wait = Math.max(16, (seconds / loop.plain.length) * 8000);
  }
  setTimeout(play, wait);
}

// The classes are those of the bundles that ran.
function drawClasses() {
  $("legend").replaceChildren(...session.classes.flatMap((name) => {
    const mark = document.createElement("i");
    mark.style.background = tone(name);
    return [mark, `${name} `];
  }));
  $("classes").replaceChildren(...session.classes.map((name, k) => {
    const button = document.createElement("button"), key = document.createElement("kbd");
    button.className = "class";
    button.dataset.label = name;
    key.textContent = k + 1;
    button.append(`${name} `, key);
    button.addEventListener("click", () => relabel(name));
    return button;
  }));
}

try {
  [session, coding] = await Promise.all([get("session"), get("coding")]);
  $("folder").textContent = session.folder;
  drawClasses();
  $("start").textContent = session.start.utc ?? `clock: ${session.start.clock}`;
  if (session.index.length) {
    go(0);
    drawAll();
    play();
    if (coding.events.length) choose(coding.events[0].id);
  }
} catch (error) { say(error); }

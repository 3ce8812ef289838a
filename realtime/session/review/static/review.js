// The review page: time line, frame, one event's loops, and the coder's steps. No library, no build, no network.

const $ = (id) => document.getElementById(id);
const CURVES = ["accent", "negative", "surprise", "marker"];
let session, coding, chosen = null, row = 0, loop = null, tick = 0, asked = 0;
const draft = {}, loops = new Map();

const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || tone("accent");
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

// The row of the frame with number `index`, or of the next one that there is.
function rowOf(index) {
  let low = 0, high = session.index.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (session.index[middle] < index) low = middle + 1; else high = middle;
  }
  return low;
}

const timeOf = (index) => session.t_s[rowOf(index)];
const event = () => coding.events.find((one) => one.id === chosen);

function canvas(id) {
  const element = $(id), ratio = devicePixelRatio || 1, height = Number(element.getAttribute("height"));
  const width = element.clientWidth;
  if (element.width !== Math.round(width * ratio)) element.width = Math.round(width * ratio);
  element.style.height = `${height}px`;
  const pen = element.getContext("2d");
  pen.setTransform(element.width / width, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, width, height);
  return [pen, width, height];
}

function drawLine() {
  const [pen, width, height] = canvas("line");
  const first = session.t_s[0], length = Math.max(1e-6, session.t_s.at(-1) - first);
  const x = (t) => ((t - first) / length) * width;
  const top = Math.max(4, ...session.curve.map((bin) => bin.level));
  session.curve.forEach((bin, k) => {
    const next = session.curve[k + 1], wide = Math.max(1, x(next ? next.t : first + length) - x(bin.t));
    const tall = bin.level < 0 ? height - 34 : (bin.level / top) * (height - 40);
    pen.fillStyle = tone(bin.level < 0 ? "gone" : "accent");
    pen.fillRect(x(bin.t), height - 30 - tall, wide, Math.max(1, tall));
  });
  for (const one of coding.events) {
    const from = x(timeOf(one.onset_frame)), to = x(timeOf(one.offset_frame ?? one.apex_frame));
    pen.fillStyle = tone(one.label);
    pen.globalAlpha = one.verdict === "rejected" ? 0.3 : 1;
    pen.fillRect(from, height - 26, Math.max(4, to - from), one.id === chosen ? 20 : 12);
    pen.globalAlpha = 1;
  }
  pen.fillStyle = tone("soft");
  for (const [from, to] of session.speaking) pen.fillRect(x(from), height - 5, Math.max(2, x(to) - x(from)), 4);
  pen.fillStyle = tone("marker");
  for (const marker of session.markers) pen.fillRect(x(marker.t_s), 0, 2, height);
  pen.fillStyle = tone("ink");
  pen.fillRect(x(session.t_s[row]), 0, 2, height);
}

function drawCurves() {
  const [pen, width, height] = canvas("curves");
  $("names").replaceChildren();
  if (!loop || loop.index.length < 2) return;
  const names = Object.keys(loop.curves), top = Math.max(0.5, ...Object.values(loop.curves).flat());
  names.forEach((name, k) => {
    pen.strokeStyle = tone(CURVES[k]);
    pen.lineWidth = 2;
    pen.beginPath();
    loop.curves[name].forEach((px, n) => {
      pen.lineTo((n / (loop.index.length - 1)) * width, height - 4 - (px / top) * (height - 8));
    });
    pen.stroke();
    const label = document.createElement("span");
    label.style.color = tone(CURVES[k]);
    label.textContent = `${name} ${Math.max(...loop.curves[name]).toFixed(1)} px  `;
    $("names").append(label);
  });
  pen.strokeStyle = tone("ink");
  pen.setLineDash([5, 4]);
  pen.beginPath();
  loop.course.forEach((px, n) => pen.lineTo((n / (loop.index.length - 1)) * width, height - 4 - (px / top) * (height - 8)));
  pen.stroke();
  pen.setLineDash([]);
  $("names").append("- - the course that was fitted");
}
// The apex with an arrow wherever the face moved, the head's motion taken out.
function drawField() {
  const pen = $("field").getContext("2d"), apex = $("at-apex");
  pen.clearRect(0, 0, 224, 224);
  if (!loop?.plain.length || !apex.naturalWidth) return;
  pen.drawImage(apex, 0, 0, 224, 224);
  for (const [colour, width] of [["#000", 3], ["#ffd34d", 1.3]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    for (const [x, y, dx, dy] of loop.flow) {
      const gain = Number($("gain").value), [to, down] = [x + gain * dx, y + gain * dy], turn = Math.atan2(dy, dx);
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(to, down);
      for (const side of [2.6, -2.6]) {
        pen.moveTo(to, down);
        pen.lineTo(to + 4 * Math.cos(turn + side), down + 4 * Math.sin(turn + side));
      }
      pen.stroke();
    }
  }
}

function go(to) {
  row = Math.max(0, Math.min(session.index.length - 1, to));
  $("where").textContent = `frame ${session.index[row]}, ${session.t_s[row].toFixed(3)} s`;
  $("frame").src = `frame/${row}`;
  drawLine();
}

// The newest three loops are kept; a moved moment or another gain asks anew.
function loopOf(one) {
  const key = [one.id, one.onset_frame, one.apex_frame, one.offset_frame, $("gain").value].join();
  if (!loops.has(key)) {
    const asking = get(`loop/${encodeURIComponent(one.id)}?gain=${$("gain").value}`);
    asking.catch(() => loops.delete(key));
    loops.set(key, asking);
    if (loops.size > 3) loops.delete(loops.keys().next().value);
  }
  return loops.get(key);
}

async function choose(id) {
  chosen = id;
  const one = event();
  loop = null;
  tick = 0;
  for (const name of ["plain", "magnified", "at-onset", "at-apex", "at-offset"]) $(name).removeAttribute("src");
  $("why").textContent = "";
  drawCurves();
  drawField();
  drawEvent();
  if (!one) return;
  go(rowOf(one.apex_frame));
  const mine = ++asked;
  try {
    const found = await loopOf(one);
    if (mine !== asked) return;
    loop = found;
    const next = coding.events[coding.events.findIndex((other) => other.id === id) + 1];
    if (next) loopOf(next).catch(() => {}); // made while this one is looked at
    const still = (frame) => loop.plain[Math.max(0, loop.index.findIndex((n) => n >= frame))];
    for (const part of ["onset", "apex", "offset"]) {
      const frame = one[`${part}_frame`];
      if (frame !== null && loop.plain.length) $(`at-${part}`).src = jpeg(still(frame)); else $(`at-${part}`).removeAttribute("src");
    }
    $("why").textContent = loop.why;
    drawCurves();
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
    button.textContent = `${one.added ? "+" : "#"}${one.id} ${one.label} ${timeOf(one.apex_frame).toFixed(2)} s ${{ accepted: "✓", rejected: "✗" }[one.verdict] ?? ""}`;
    button.className = one.verdict ?? "";
    button.setAttribute("aria-pressed", String(one.id === chosen));
    button.addEventListener("click", () => choose(one.id).then(drawAll));
    item.append(button);
    return item;
  }));
  drawEvent();
  drawLine();
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
  return next ? choose(next.id).then(drawAll) : undefined;
}

async function decide(op) {
  if (!event()) return;
  await step({ op, id: chosen });
  await near(1);
}

const relabel = (label) => event() && step({ op: "relabel", id: chosen, label });
const move = (part) => event() && step({ op: "move", id: chosen, part, frame: session.index[row] }).then(() => choose(chosen)).then(drawAll);

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
$("at-apex").addEventListener("load", drawField);
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
addEventListener("resize", () => { drawLine(); drawCurves(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { drawClasses(); drawAll(); drawCurves(); });

// One frame of the loop at an eighth of its speed.
function play() {
  let wait = 40;
  if (loop && loop.plain.length) {
    tick = (tick + 1) % loop.plain.length;
    $("plain").src = jpeg(loop.plain[tick]);
    $("magnified").src = jpeg(loop.magnified[tick]);
    const seconds = timeOf(loop.index.at(-1)) - timeOf(loop.index[0]);
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
    if (coding.events.length) await choose(coding.events[0].id);
    drawAll();
    play();
  }
} catch (error) { say(error); }

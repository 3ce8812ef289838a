// The page: consent, camera, connection, and what is shown of it.

import { letSleep, stayAwake } from "./awake.js";
import { CameraError, closeCamera, listCameras, openCamera } from "./camera.js";
import { Cards } from "./cards.js";
import { Curve } from "./curve.js";
import { Lab } from "./lab.js";
import { Link, tokenInAddress } from "./link.js";
import { Ring } from "./loop.js";
import { Overlay } from "./overlay.js";
import { Records } from "./records.js";
import { Summary } from "./summary.js";
import { cameraWords, className, number, serverWords, t, timeOfDay } from "./words.js";

const LONG_AGO_MS = 10_000;
const ODD_MS = 15_000;
const AFTER_MS = 450; // pictures after an event that its loop shows
const $ = (id) => document.getElementById(id);
const ring = new Ring($("video"));
const cards = new Cards({ list: $("cards"), latest: $("latest"), empty: $("empty"), spoken: $("spoken"), ring });
const curve = new Curve($("curve"), $("curve-text"));
const overlay = new Overlay($("overlay"), $("video"), $("phase"));
const records = new Records();
const lab = new Lab((mark) => link?.send(mark));
const [summary, tryIt] = [new Summary($("summary")), $("try-it")]; // it leaves the page with the first event
let server = { mode: "own", token: false };
let [link, stream] = [null, null];
let chosen; // camera, once the visitor has chosen one
let [openedAt, events, hiddenEvents, several] = [0, 0, 0, false]; // several: faces
let state = null; // the newest one
let odd = { picture: "ok", at: -Infinity }; // what the picture did of itself, and when last

async function begin() {
  notice();
  scrollTo(0, 0); // where the picture will be
  const token = $("token").value || tokenInAddress();
  $("begin").disabled = true;
  try {
    if (server.mode === "own") {
      pill("asking");
      await useCamera(chosen);
    }
    link?.close();
    link = new Link({ stream, token, record: lab.agreed, on: { state: onState, message: onMessage, stream: onStream } });
    $("consent").hidden = true;
    $("live").hidden = false;
    $("stop").textContent = t("stop");
    $("stop").focus({ preventScroll: true });
    stayAwake();
  } catch (error) {
    pill($("live").hidden ? "off" : "closed");
    notice("error", error instanceof CameraError ? error.message : cameraWords(error));
  } finally {
    $("begin").disabled = !$("agree").checked;
  }
}

async function useCamera(deviceId) {
  closeCamera(stream);
  stream = await openCamera(deviceId);
  const [track] = stream.getVideoTracks();
  track.addEventListener("ended", () => stop("closed", t("camera.ended")));
  $("video").srcObject = stream;
  overlay.mirrored = track.getSettings().facingMode !== "environment";
  $("stage").classList.toggle("mirrored", overlay.mirrored);
  const cameras = await listCameras();
  $("camera-row").hidden = cameras.length < 2;
  $("camera").replaceChildren(
    ...cameras.map((camera, k) => new Option(camera.label || t("camera.number", { number: k + 1 }), camera.deviceId)),
  );
  $("camera").value = track.getSettings().deviceId ?? "";
}

function stop(name, words) {
  link?.close();
  closeCamera(stream);
  link = stream = null;
  $("video").srcObject = null;
  overlay.clear();
  ring.clear();
  letSleep();
  $("stop").textContent = t("again");
  mute(false);
  pill(name);
  stageWords(words ?? t(server.mode === "own" ? "stage.stopped" : "stage.stopped.server"));
  notice();
}

function mute(on) {
  $("mute").setAttribute("aria-pressed", String(on));
  $("mute").textContent = t(on ? "resume" : "pause");
  link?.mute(on);
  if (on) overlay.clear();
  if (on && $("notice").dataset.kind === "weak") notice();
  if (link) pill(on ? "paused" : "open");
  stageWords(on ? t("stage.paused") : "");
}

// -- from the connection

function onState(name, reason) {
  state = null;
  if (name === "open") {
    openedAt = performance.now();
    mute(link.muted);
    notice();
    if (!link.muted) stageWords(t("stage.starting"));
    cards.divide(t("divider", { time: timeOfDay(new Date()) }));
  } else if (name === "connecting") {
    pill(name, reason === "again" ? "reconnecting" : name);
  } else if (name === "waiting") {
    pill(name);
    overlay.clear();
    stageWords(t("stage.lost"));
    notice("wait", serverWords(reason));
  } else if (name === "failed") {
    stop("failed", serverWords(reason));
    if (reason === "token") askForToken();
  }
}

function onMessage(message) {
  dispatchEvent(new CustomEvent("mer:message", { detail: message }));
  const shown = {
    ...{ hello: onHello, state: onFrame, health: onHealth, event: onEvent, withdrawn: onEvent },
    start: (m) => records.add(m, streamOf(m)),
    marker: (m) => records.add(m, streamOf(m)) && curve.flag(m),
    moves: (m) => cards.moves(keyOf(m), m.moves, context(m)),
    bump: (m) => curve.bump(m),
    trouble: (m) => notice("wait", t("server.trouble", m)),
  }[message.type];
  shown?.(message);
}

function onHello({ classes, engine, backend, why, source, recording }) {
  lab.hello({ recording });
  curve.clear();
  if ($("only").length === 1) $("only").append(...classes.map((name) => new Option(className(name), name)));
  $("f-engine").textContent = t("figures.models", { count: engine.split("+").length, engine: engine.replaceAll("+", ", "), backend });
  $("f-engine").title = [why, source].filter(Boolean).join("\n");
}

function onStream(remote) {
  if (server.mode === "own") return;
  $("video").srcObject = remote;
  overlay.mirrored = false;
}

function onFrame(now) {
  if (!link || link.muted) return;
  if (!state) stageWords("");
  state = now;
  several ||= state.faces.length > 1;
  overlay.draw(state);
  if (state.t_s !== null) curve.add(state.t_s, state.level);
  summary.state(state, performance.now());
  tryIt.hidden = server.mode !== "own" || state.face !== "ok";
  const settled = state.fps > 0 && performance.now() - openedAt > 1500;
  $("f-fps").textContent = settled ? t("fps", { fps: number(state.fps) }) : "–";
  $("f-drops").textContent = number(state.dropped);
  $("f-drops").classList.toggle("bad", state.dropped > 0);
  const delay = state.mono_ms === null ? null : link.since(state.mono_ms);
  $("f-delay").textContent = delay === null ? "–" : `${number(Math.max(0, Math.round(delay)))} ms`;
}

function onHealth(health) {
  const [width, height] = health.received;
  const arrive = Math.round(health.received_fps);
  if (arrive) $("f-arrives").textContent = `${width}×${height}, ${t("fps", { fps: arrive })}`;
  $("f-rate").textContent = health.kbps ? `${number(health.kbps / 1000, 1)} Mbit/s` : "–";
  if (!link || link.muted || performance.now() - openedAt < 5000) return;
  const small = Math.min(width, height) < 240 || Math.max(width, height) < 320;
  const done = Math.round(state?.fps ?? 0);
  if (health.picture !== "ok") odd = { picture: health.picture, at: performance.now() };
  // An encoder between the camera and the server blurs it: it is told in some seconds only.
  if (performance.now() - odd.at < ODD_MS) notice("weak", t(`weak.${odd.picture}`));
  else if (small) notice("weak", t("weak.size", { width, height }));
  else if (arrive < 25) notice("weak", t(server.mode === "own" ? "weak.fps" : "weak.camera", { fps: arrive }));
  else if (done < 0.85 * arrive) notice("weak", t("weak.server", { done, fps: arrive }));
  else if ($("notice").dataset.kind === "weak") notice();
}

const streamOf = (message) => `${link.stream}.${message.run}`;
const keyOf = (message) => `${streamOf(message)}.${message.id}`;
// Where the face of a message is.
const context = (message) => {
  const face = state?.faces.find(({ id }) => id === message.face) ?? state?.faces[0];
  return face && { box: face.box, frame: state.frame, mirrored: overlay.mirrored };
};

function onEvent(event) {
  const key = keyOf(event);
  if (!records.add(event, streamOf(event))) return; // known already: all who come get the newest
  let seen = null;
  let late = null;
  if (event.type === "event" && state && state.zero_ms !== null) {
    const at = (s) => (s === null ? null : link.seenAt(state.zero_ms + 1000 * s));
    seen = { onset: at(event.onset_s), apex: at(event.apex_s), offset: at(event.offset_s) };
    late = link.since(state.zero_ms + 1000 * event.apex_s);
    if (late === null || late > LONG_AGO_MS) seen = null;
  }
  const whose = event.face?.id;
  cards.show(key, event, seen, late !== null && late < LONG_AGO_MS ? late : null, several ? whose : null);
  if (seen && (event.state === "final" || event.state === "settled")) {
    const then = context({ face: whose });
    setTimeout(() => cards.film(key, then), Math.max(0, seen.offset + AFTER_MS - performance.now()));
  }
  curve.mark(key, event);
  summary.event(key, event.type === "withdrawn");
  if (event.type === "event" && event.revision === 1) events += 1;
  if (document.hidden && event.revision === 1) hiddenEvents += 1;
  $("count").textContent = number(events);
  $("csv").disabled = $("jsonl").disabled = false;
}

// -- words -----------------------------------------------------------------------------------------

// At the place of the act: in the picture once there is one, else below the button that was pressed.
function notice(kind = "", words = "") {
  const box = $($("live").hidden ? "consent-notice" : "notice");
  const shown = words || ($("live").hidden ? t(server.mode === "own" ? "consent.hint" : "consent.hint.server") : "");
  box.hidden = !shown;
  box.dataset.kind = kind;
  if (box.textContent !== shown) box.textContent = shown;
  if (kind === "error" && words) box.scrollIntoView({ block: "nearest" });
}

function pill(name, words = name) {
  $("status").textContent = t(`status.${words}`);
  $("status").dataset.state = name;
  $("stage").dataset.state = name;
  for (const id of ["mute", "mark"]) $(id).disabled = name !== "open" && name !== "paused"; // else nothing runs
}

function stageWords(words) {
  $("stage-words").hidden = !words;
  $("stage-words").textContent = words;
}

function askForToken() {
  $("live").hidden = true;
  $("consent").hidden = false;
  $("token-row").hidden = false;
  notice("error", serverWords("token"));
  $("token").focus({ preventScroll: true });
}

async function start() {
  try {
    server = await (await fetch("/about")).json();
  } catch {
    // shown when connecting fails; until then the page can be read
  }
  lab.about(server);
  if (server.mode === "server") {
    $("consent-picture").textContent = t("consent.picture.server");
    $("agree-words").textContent = t("consent.agree.server");
    $("begin").textContent = t("begin.server");
    // What belongs to a visitor's own camera: pausing, and the bitrate that reaches the server.
    for (const part of [$("mute"), $("f-rate").parentElement]) part.hidden = true;
    notice();
  } else if (!isSecureContext) {
    notice("error", t("camera.insecure"));
  }
  $("token-row").hidden = !server.token || location.hash.includes("token=");
}

$("agree").addEventListener("change", () => ($("begin").disabled = !$("agree").checked));
$("consent-form").addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
});
$("stop").addEventListener("click", () => (link ? stop("closed") : begin()));
$("mute").addEventListener("click", () => link && mute(!link.muted));
$("video").addEventListener("resize", ({ target: { videoWidth, videoHeight } }) => {
  if (videoWidth) $("live").style.setProperty("--shape", String(videoWidth / videoHeight));
});
$("camera").addEventListener("change", async () => {
  chosen = $("camera").value;
  if (!link) return; // stopped: it is opened with the next start
  try {
    await useCamera(chosen);
    link.camera = stream;
    link.open();
  } catch (error) {
    stop("closed", cameraWords(error));
  }
});
for (const name of ["only", "least"]) {
  $(name).addEventListener("change", () => cards.select({ only: $("only").value, least: Number($("least").value) }));
}
for (const kind of ["csv", "jsonl"]) $(kind).addEventListener("click", () => records.save(kind));
$("language").addEventListener("click", () => ($("language").href += location.hash)); // the token comes along
document.addEventListener("visibilitychange", () => {
  document.title = document.hidden && link ? t("title.background") : "mer-live";
  if (document.hidden) hiddenEvents = 0;
  else if (link) stayAwake();
  if (!document.hidden && link && hiddenEvents) notice("weak", t("background.back", { count: hiddenEvents }));
});
addEventListener("pagehide", () => link?.close());
start();

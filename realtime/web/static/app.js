// The page: consent, camera, connection, and what is shown of it.

import { CameraError, closeCamera, listCameras, openCamera } from "./camera.js";
import { Cards } from "./cards.js";
import { Curve } from "./curve.js";
import { Link } from "./link.js";
import { Overlay } from "./overlay.js";
import { Records } from "./records.js";
import { CAMERA, WEAK, cameraWords } from "./words.js";

const LONG_AGO_MS = 10_000;
const $ = (id) => document.getElementById(id);
const cards = new Cards($("cards"), $("empty"), $("spoken"));
const curve = new Curve($("curve"));
const overlay = new Overlay($("overlay"), $("video"), $("phase"));
const records = new Records();
let server = { mode: "own", token: false };
let link = null;
let stream = null;
let openedAt = 0;
let events = 0;
let fps = 0;

async function begin() {
  notice();
  const token = $("token").value || tokenInAddress();
  $("begin").disabled = true;
  try {
    if (server.mode === "own") {
      $("status").textContent = "Asking for the camera…";
      await useCamera();
    }
    link?.close();
    link = new Link({ stream, token, on: { state: onState, message: onMessage, stream: onStream } });
    $("consent").hidden = true;
    $("live").hidden = false;
    $("stop").textContent = "Stop";
    $("stop").focus();
  } catch (error) {
    $("status").textContent = "Not connected";
    notice("error", error instanceof CameraError ? error.message : cameraWords(error));
  } finally {
    $("begin").disabled = !$("agree").checked;
  }
}

// #token=...: any characters, percent-encoded or not; a + is a +.
function tokenInAddress() {
  const given = location.hash.match(/^#token=(.*)$/s)?.[1] ?? "";
  try {
    return decodeURIComponent(given);
  } catch {
    return given;
  }
}

async function useCamera(deviceId) {
  closeCamera(stream);
  stream = await openCamera(deviceId);
  const [track] = stream.getVideoTracks();
  track.addEventListener("ended", () => stop(CAMERA.ended));
  $("video").srcObject = stream;
  overlay.mirrored = track.getSettings().facingMode !== "environment";
  $("stage").classList.toggle("mirrored", overlay.mirrored);
  const cameras = await listCameras();
  $("camera-row").hidden = cameras.length < 2;
  $("camera").replaceChildren(
    ...cameras.map((camera, k) => new Option(camera.label || `Camera ${k + 1}`, camera.deviceId)),
  );
  $("camera").value = track.getSettings().deviceId ?? "";
}

function stop(words) {
  link?.close();
  link = null;
  closeCamera(stream);
  stream = null;
  $("video").srcObject = null;
  overlay.clear();
  $("stop").textContent = "Start again";
  mute(false);
  stageWords(server.mode === "own" ? "Stopped. The camera is off." : "Stopped.");
  notice(words ? "error" : "", words);
}

function mute(on) {
  $("mute").setAttribute("aria-pressed", String(on));
  $("mute").textContent = on ? "Resume analysis" : "Pause analysis";
  $("mute").disabled = link === null;
  link?.mute(on);
  if (on) overlay.clear();
  if (on && $("notice").dataset.kind === "weak") notice();
  stageWords(on ? "Analysis paused: nothing is sent." : "");
}

// -- from the connection ---------------------------------------------------------------------------

function onState(name, words, reason) {
  $("status").textContent = { open: "Live", failed: "Ended", closed: "Stopped" }[name] ?? words;
  $("status").dataset.state = name;
  if (name === "open") {
    openedAt = performance.now();
    mute(link.muted);
    notice();
  } else if (name === "waiting") {
    overlay.clear();
    notice("wait", words);
  } else if (name === "failed") {
    stop(words);
    if (reason === "token") askForToken();
  }
}

function onMessage(message) {
  dispatchEvent(new CustomEvent("mer:message", { detail: message }));
  const shown = {
    hello: onHello,
    state: onFrame,
    health: onHealth,
    event: onEvent,
    withdrawn: onEvent,
    trouble: (m) => notice("wait", m.message),
  }[message.type];
  shown?.(message);
}

function onHello({ engine, backend, why, source }) {
  curve.clear();
  $("f-engine").textContent = `${engine} · ${backend}`;
  $("f-engine").title = [why, source].filter(Boolean).join("\n");
}

function onStream(remote) {
  if (server.mode === "own") return;
  $("video").srcObject = remote;
  overlay.mirrored = false;
}

function onFrame(state) {
  if (!link || link.muted) return;
  overlay.draw(state);
  if (state.t_s !== null) curve.add(state.t_s, state.level);
  fps = state.fps;
  $("f-fps").textContent = `${state.fps.toFixed(0)} fps`;
  $("f-drops").textContent = state.dropped.toLocaleString("en");
  $("f-drops").classList.toggle("bad", state.dropped > 0);
  const delay = state.mono_ms === null ? null : link.since(state.mono_ms);
  $("f-delay").textContent = delay === null ? "–" : `${Math.max(0, Math.round(delay))} ms`;
}

function onHealth(health) {
  const [width, height] = health.received;
  const arrive = Math.round(health.received_fps);
  $("f-arrives").textContent = `${width}×${height}, ${arrive} fps`;
  $("f-rate").textContent = health.kbps ? `${(health.kbps / 1000).toFixed(1)} Mbit/s` : "–";
  if (!link || link.muted || performance.now() - openedAt < 5000) return;
  const small = Math.min(width, height) < 240 || Math.max(width, height) < 320;
  if (small) notice("weak", WEAK.size(width, height));
  else if (arrive < 25) notice("weak", (server.mode === "own" ? WEAK.fps : WEAK.camera)(arrive));
  else if (fps < 0.85 * health.received_fps) notice("weak", WEAK.server(fps, health.received_fps));
  else if ($("notice").dataset.kind === "weak") notice();
}

function onEvent(event) {
  const stream = `${link.stream}.${event.run}`;
  const key = `${stream}.${event.id}`;
  if (!records.add(event, stream)) return; // known already: the newest events are sent to all who come
  const late = event.type === "event" && zero !== null ? link.since(zero + 1000 * event.apex_s) : null;
  cards.show(key, event, late !== null && late < LONG_AGO_MS ? late : null);
  curve.mark(key, event);
  if (event.type === "event" && event.revision === 1) events += 1;
  $("count").textContent = String(events);
  $("csv").disabled = $("jsonl").disabled = false;
}

// -- words -----------------------------------------------------------------------------------------

function notice(kind = "", words = "") {
  const box = $("notice");
  box.hidden = !words;
  box.dataset.kind = kind;
  if (box.textContent !== words) box.textContent = words;
}

function stageWords(words) {
  $("stage-words").hidden = !words;
  $("stage-words").textContent = words;
}

function askForToken() {
  $("live").hidden = true;
  $("consent").hidden = false;
  $("token-row").hidden = false;
  $("token").focus();
}

async function start() {
  try {
    server = await (await fetch("/about")).json();
  } catch {
    // shown when connecting fails; until then the page can be read
  }
  if (server.mode === "server") {
    $("consent-picture").textContent =
      "This server shows a camera of its own; yours is not asked for. Its pictures are analysed in memory and sent, encrypted, to those who watch; nothing is stored.";
    $("agree-words").textContent = "I have read this. The people in front of that camera know and have agreed.";
    $("begin").textContent = "Watch";
    // What belongs to a visitor's own camera: pausing, the bitrate that reaches the server, trying it out.
    for (const part of [$("mute"), $("f-rate").parentElement, $("try-it")]) part.hidden = true;
  } else if (!isSecureContext) {
    notice("error", CAMERA.insecure);
  }
  $("token-row").hidden = !server.token || location.hash.includes("token=");
}

let zero = null; // the server's clock at the run's first frame
addEventListener("mer:message", ({ detail }) => {
  if (detail.type === "state") zero = detail.zero_ms;
});
$("agree").addEventListener("change", () => ($("begin").disabled = !$("agree").checked));
$("consent-form").addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
});
$("stop").addEventListener("click", () => (link ? stop() : begin()));
$("mute").addEventListener("click", () => link && mute(!link.muted));
$("video").addEventListener("resize", ({ target: { videoWidth, videoHeight } }) => {
  if (videoWidth) $("live").style.setProperty("--shape", String(videoWidth / videoHeight));
});
$("camera").addEventListener("change", async () => {
  try {
    await useCamera($("camera").value);
    link.camera = stream;
    link.open();
  } catch (error) {
    stop(cameraWords(error));
  }
});
for (const kind of ["csv", "jsonl"]) $(kind).addEventListener("click", () => records.save(kind));
addEventListener("pagehide", () => link?.close());
start();

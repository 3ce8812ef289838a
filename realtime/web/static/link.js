// The connection: offer, data channel, signs of life, and trying again when it breaks.
//
// Calls back with: state(name, reason), message(object), stream(MediaStream). States: "connecting" (reason "again"
// after a failure), "open", "waiting" (will try again), "failed" (needs the visitor), "closed" (as asked).

const PING_MS = 2000;
const SILENCE_MS = 4500;
const CONNECT_MS = 14000;
const BACK_OFF_MS = [500, 1000, 2000, 4000, 8000];
const MAX_BITRATE = 10_000_000;
const AGAIN = new Set(["shutdown", "error", "lost", "connect", "busy", "wait", "unreachable", "server"]);

export class Link {
  constructor({ stream, token, record, on }) {
    this.record = record; // the visitor agrees to be recorded
    this.on = on;
    this.token = token;
    this.camera = stream; // null: watch the server's
    this.failures = 0;
    this.muted = false;
    this.wanted = true;
    this.open();
  }

  async open() {
    this.on.state("connecting", this.failures ? "again" : "");
    clearTimeout(this.retry);
    this.drop();
    const pc = (this.pc = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" }));
    this.clock = { rtt: Infinity, offset: null, age: 0 };
    pc.addEventListener("connectionstatechange", () => {
      if (pc === this.pc && pc.connectionState === "failed") this.lost("lost");
    });
    pc.addEventListener("track", (event) => this.on.stream(event.streams[0] ?? new MediaStream([event.track])));
    this.connecting = setTimeout(() => this.lost("media"), CONNECT_MS);
    const channel = (this.channel = pc.createDataChannel("mer"));
    channel.addEventListener("message", (event) => pc === this.pc && this.receive(JSON.parse(event.data)));
    channel.addEventListener("close", () => pc === this.pc && this.lost("lost"));
    try {
      await this.attach(pc);
      await pc.setLocalDescription();
      await gathered(pc);
      const answer = await this.post({ sdp: pc.localDescription.sdp, video: this.settings(), record: this.record });
      if (pc !== this.pc) return;
      await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
      await this.prefer(!this.muted);
    } catch (error) {
      if (pc !== this.pc) return;
      const reason = error instanceof Refusal ? error.reason : "unreachable";
      if (AGAIN.has(reason)) this.lost(reason);
      else this.fail(reason);
    }
  }

  attach(pc) {
    if (!this.camera) {
      pc.addTransceiver("video", { direction: "recvonly" });
      return;
    }
    this.sender = pc.addTransceiver(this.camera.getVideoTracks()[0], {
      direction: "sendonly",
      streams: [this.camera],
      sendEncodings: [{ maxBitrate: MAX_BITRATE, priority: "high" }],
    }).sender;
  }

  // A browser short of bandwidth shrinks the picture unless it is told what matters.
  async prefer(active) {
    if (!this.sender) return;
    const parameters = this.sender.getParameters();
    parameters.degradationPreference = "maintain-resolution";
    for (const encoding of parameters.encodings) Object.assign(encoding, { maxBitrate: MAX_BITRATE, active });
    try {
      await this.sender.setParameters(parameters);
    } catch {
      // Firefox before 110 and Safari ignore some of these; what really arrives is shown anyway
    }
  }

  settings() {
    const { width, height } = this.camera?.getVideoTracks()[0].getSettings() ?? {};
    return width && height ? { width, height } : undefined;
  }

  async post(offer) {
    const headers = { "Content-Type": "application/json" };
    if (this.token) headers.Authorization = `Bearer ${encodeURIComponent(this.token)}`;
    const response = await fetch("/offer", { method: "POST", headers, body: JSON.stringify(offer) });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    throw new Refusal(answer.error ?? "unreachable");
  }

  receive(message) {
    this.heard = performance.now();
    if (message.type === "hello") {
      clearTimeout(this.connecting);
      this.failures = 0;
      this.stream = message.stream;
      this.beat = setInterval(() => this.pulse(), PING_MS);
      this.pulse();
      if (this.muted) this.send({ type: "mute", on: true });
      this.on.state("open");
    } else if (message.type === "pong") {
      this.keepTime(message);
    } else if (message.type === "bye") {
      if (AGAIN.has(message.reason)) this.lost(message.reason);
      else this.fail(message.reason);
      return;
    }
    this.on.message(message);
  }

  pulse() {
    if (performance.now() - this.heard > SILENCE_MS) this.lost("lost");
    else this.send({ type: "ping", t: performance.now() });
  }

  // The server's clock minus ours, from the fastest of the last pings: half its round trip is the error.
  keepTime({ t, mono_ms }) {
    const rtt = performance.now() - t;
    this.clock.age += 1;
    if (rtt > this.clock.rtt && this.clock.age < 15) return;
    this.clock = { rtt, offset: mono_ms - (t + rtt / 2), age: 0 };
  }

  // When a moment of the server's clock was in front of the camera, on this page's clock, as well as it is known:
  // the server sees a picture half a round trip and some 20 ms of encoding and decoding later.
  seenAt(mono_ms) {
    const since = this.since(mono_ms);
    return since === null ? null : performance.now() - since - (this.camera ? this.clock.rtt / 2 + 20 : 0);
  }

  // Milliseconds since a moment of the server's clock; null until the clocks were compared.
  since(mono_ms) {
    return this.clock.offset === null ? null : performance.now() + this.clock.offset - mono_ms;
  }

  mute(on) {
    this.muted = on;
    this.send({ type: "mute", on });
    this.prefer(!on); // nothing is sent either
  }

  send(content) {
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify({ v: 1, ...content }));
  }

  lost(reason) {
    if (!this.wanted) return;
    this.drop();
    const pause = BACK_OFF_MS[Math.min(this.failures, BACK_OFF_MS.length - 1)];
    this.failures += 1;
    this.on.state("waiting", reason);
    this.retry = setTimeout(() => this.open(), pause * (0.8 + 0.4 * Math.random()));
  }

  fail(reason) {
    this.wanted = false;
    this.drop();
    this.on.state("failed", reason);
  }

  close() {
    this.wanted = false;
    clearTimeout(this.retry);
    this.send({ type: "stop" });
    const pc = this.pc;
    this.pc = null;
    setTimeout(() => pc?.close(), 200); // let the goodbye out
    this.drop();
    this.on.state("closed");
  }

  drop() {
    clearTimeout(this.connecting);
    clearInterval(this.beat);
    this.pc?.close();
    this.pc = this.channel = this.sender = null;
  }
}

class Refusal extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

function gathered(pc) {
  return new Promise((resolve) => {
    const check = () => pc.iceGatheringState === "complete" && resolve();
    pc.addEventListener("icegatheringstatechange", check);
    setTimeout(resolve, 1000); // addresses that are slow to come are not needed
    check();
  });
}

// #token=...: any characters, percent-encoded or not; a + is a +.
export function tokenInAddress() {
  const given = location.hash.match(/^#token=(.*)$/s)?.[1] ?? "";
  try {
    return decodeURIComponent(given);
  } catch {
    return given;
  }
}

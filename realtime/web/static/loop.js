// The newest pictures, in this page's memory alone, and the slow loops that are made of them.

import { number, t } from "./words.js";

const KEEP = 90; // pictures: three seconds
const LEAST_MS = 28;
const WIDTH = 320;
const SIDE = 200;
const SLOW = 8;
const DRAW_MS = 40; // at an eighth of the speed nobody sees more
const AROUND_MS = 150;
const ARROW = 14; // a movement of one pixel would not be seen
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export class Ring {
  constructor(video) {
    this.video = video;
    this.slots = Array.from({ length: KEEP }, () => ({ at: -Infinity, canvas: new OffscreenCanvas(1, 1) }));
    this.next = 0;
    this.last = 0;
    this.look = (now, about) => {
      this.grab(about?.captureTime ?? now);
      this.wait();
    };
    this.wait();
  }

  wait() {
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(this.look);
    else requestAnimationFrame(this.look);
  }

  grab(at) {
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth || !this.video.srcObject || at - this.last < LEAST_MS) return;
    this.last = at;
    const slot = this.slots[this.next];
    this.next = (this.next + 1) % KEEP;
    const height = Math.round((WIDTH * videoHeight) / videoWidth);
    if (slot.canvas.width !== WIDTH || slot.canvas.height !== height) slot.canvas = new OffscreenCanvas(WIDTH, height);
    slot.canvas.getContext("2d", { alpha: false }).drawImage(this.video, 0, 0, WIDTH, height);
    slot.at = at;
  }

  clear() {
    for (const slot of this.slots) Object.assign(slot, { at: -Infinity, canvas: new OffscreenCanvas(1, 1) });
  }

  // The face between two moments (ms of this page's clock), cut out of the pictures; null when they are gone.
  // `box`: [x, y, width, height] px of the analysed `frame` [width, height].
  take(from, to, box, frame) {
    const slots = this.slots.filter((s) => s.at >= from && s.at <= to).sort((a, b) => a.at - b.at);
    if (slots.length < 4 || !box) return null;
    const side = 1.25 * Math.max(box[2], box[3]);
    const cut = { x: box[0] + box[2] / 2 - side / 2, y: box[1] + box[3] / 2 - side / 2, side };
    const pictures = slots.map((slot) => {
      const canvas = new OffscreenCanvas(SIDE, SIDE);
      const scale = slot.canvas.width / frame[0];
      const c = canvas.getContext("2d", { alpha: false });
      c.drawImage(slot.canvas, cut.x * scale, cut.y * scale, side * scale, side * scale, 0, 0, SIDE, SIDE);
      return { at: slot.at, canvas };
    });
    return { pictures, cut };
  }
}

// `moments`: { onset, apex, offset } in ms of this page's clock.
export function cutLoop(ring, moments, box, frame) {
  return ring.take(moments.onset - AROUND_MS, (moments.offset ?? moments.apex + 250) + AROUND_MS, box, frame);
}

// A loop with its button, or three still pictures where motion is not wanted.
export class Loop {
  constructor({ pictures, cut }, moments, moves, mirrored, name) {
    Object.assign(this, { pictures, cut, moments, moves, mirrored });
    this.element = document.createElement("div");
    this.element.className = "loop";
    if (STILL.matches) this.stills();
    else this.film(name);
  }

  stills() {
    this.element.classList.add("stills");
    for (const kind of ["onset", "apex", "offset"].filter((k) => this.moments[k])) {
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      caption.textContent = t(kind);
      figure.append(this.canvas(t(kind)), caption);
      this.draw(figure.firstChild, this.moments[kind], kind === "apex" ? 1 : 0);
      this.element.append(figure);
    }
  }

  film(name) {
    const canvas = this.canvas(`${t("loop")}: ${name}`);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    const show = () => (button.textContent = t(this.running ? "loop.pause" : "loop.play"));
    button.addEventListener("click", () => {
      this.running = !this.running;
      if (this.running) this.begun = performance.now() - this.place * SLOW;
      show();
    });
    this.element.append(canvas, button);
    this.running = true;
    show();
    const [first, last] = [this.pictures[0].at, this.pictures.at(-1).at];
    this.begun = performance.now();
    const step = (now) => {
      if (!canvas.isConnected && this.seen) return; // its card has gone
      this.seen ||= canvas.isConnected;
      if (this.running && canvas.offsetParent) {
        this.place = ((now - this.begun) / SLOW) % (last - first + 80); // a short rest before it begins again
        this.draw(canvas, first + this.place, this.share(first + this.place));
      }
      setTimeout(() => requestAnimationFrame(step), DRAW_MS);
    };
    requestAnimationFrame(step);
  }

  canvas(label) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIDE;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    return canvas;
  }

  // How far the movement has come at a moment: 0 at onset and offset, 1 at the apex.
  share(at) {
    const { onset, apex, offset } = this.moments;
    const end = offset ?? apex + 250;
    if (at <= onset || at >= end) return 0;
    return at < apex ? (at - onset) / (apex - onset) : (end - at) / (end - apex);
  }

  draw(canvas, at, share) {
    const c = canvas.getContext("2d");
    const picture = this.pictures.reduce((a, b) => (Math.abs(b.at - at) < Math.abs(a.at - at) ? b : a));
    c.save();
    if (this.mirrored) {
      c.translate(SIDE, 0);
      c.scale(-1, 1);
    }
    c.drawImage(picture.canvas, 0, 0);
    c.restore();
    this.arrows(c, share);
    this.line(c, at);
  }

  arrows(c, share) {
    const scale = SIDE / this.cut.side;
    const flip = this.mirrored ? -1 : 1;
    const shown = [...this.moves].sort((a, b) => b.px - a.px).slice(0, 8);
    c.lineCap = "round";
    let most = null;
    for (const [rank, move] of shown.entries()) {
      let x = (move.x - this.cut.x) * scale;
      if (this.mirrored) x = SIDE - x;
      const y = (move.y - this.cut.y) * scale;
      const [dx, dy] = [flip * move.dx * ARROW * share, move.dy * ARROW * share];
      if (Math.hypot(dx, dy) < 3) continue;
      for (const [style, width] of [["rgba(0, 0, 0, 0.7)", 5], ["#ffd166", 2.5]]) {
        c.strokeStyle = style;
        c.lineWidth = width;
        c.beginPath();
        c.moveTo(x, y);
        c.lineTo(x + dx, y + dy);
        const angle = Math.atan2(dy, dx);
        for (const side of [-0.5, 0.5]) {
          c.moveTo(x + dx, y + dy);
          c.lineTo(x + dx - 7 * Math.cos(angle + side), y + dy - 7 * Math.sin(angle + side));
        }
        c.stroke();
      }
      if (rank === 0) most = [`${number(move.px, 1)} px`, Math.min(SIDE - 50, x + 8), Math.max(14, y + dy - 8)];
    }
    if (most) this.text(c, ...most); // over the arrows
  }

  line(c, at) {
    const [first, last] = [this.pictures[0].at, this.pictures.at(-1).at];
    const x = (ms) => 6 + (Math.min(1, Math.max(0, (ms - first) / (last - first))) * (SIDE - 12));
    c.fillStyle = "rgba(8, 14, 13, 0.78)";
    c.fillRect(0, SIDE - 22, SIDE, 22);
    const taken = [];
    for (const kind of ["apex", "onset", "offset"].filter((k) => this.moments[k])) {
      const at = x(this.moments[kind]);
      c.fillStyle = kind === "apex" ? "#ffd166" : "#ffffff";
      c.fillRect(at - 1, SIDE - 22, 2, 8);
      c.font = "10px system-ui, sans-serif";
      const wide = c.measureText(t(kind)).width;
      const left = Math.min(SIDE - wide - 2, Math.max(2, at - wide / 2));
      if (taken.some(([from, to]) => left < to + 4 && left + wide > from - 4)) continue; // words never touch
      c.fillText(t(kind), left, SIDE - 4);
      taken.push([left, left + wide]);
    }
    c.fillStyle = "#4fd1c0";
    c.fillRect(x(at) - 1.5, SIDE - 22, 3, 8);
  }

  text(c, words, x, y) {
    c.font = "600 12px system-ui, sans-serif";
    c.lineWidth = 3;
    c.strokeStyle = "rgba(0, 0, 0, 0.8)";
    c.strokeText(words, x, y);
    c.fillStyle = "#ffffff";
    c.fillText(words, x, y);
  }
}

// The scrolling motion curve with its scale, the marks of each event, and why a larger bump is none.

import { className, number, t } from "./words.js";

const WINDOW_S = 12;
const FULL_SCALE = 12; // noise units, as in the terminal display
const MOST_SCALE = 24; // a turn of the head may leave the picture: it must not flatten everything else
const STANDS_OUT = 3; // times rest
const TICKS = [STANDS_OUT, 6, 12, 24];
const GAP_S = 0.35;
const SCALE_PX = 26; // where the numbers of the scale stand
const TEXT_MS = 2000;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export class Curve {
  constructor(canvas, text) {
    this.canvas = canvas;
    this.text = text; // the same in words, for those who do not see it
    this.told = 0;
    this.bumps = []; // { at_s, why }
    this.flags = []; // markers
    this.samples = []; // [t_s, level]
    this.marks = new Map();
    this.drawn = 0;
    new ResizeObserver(() => this.draw()).observe(canvas);
    addEventListener("themechange", () => requestAnimationFrame(() => this.draw()));
  }

  clear() {
    this.samples = [];
    this.marks.clear();
    this.bumps = [];
    this.flags = [];
    this.draw();
  }

  add(t_s, level) {
    const last = this.samples.at(-1);
    if (last && t_s <= last[0]) {
      if (t_s < last[0] - 1) this.clear(); // a new run
      else last[1] = Math.max(last[1], level);
      return;
    }
    this.samples.push([t_s, level]);
    while (this.samples.length > 2 && this.samples[1][0] < t_s - WINDOW_S) this.samples.shift();
    while (this.bumps[0]?.at_s < t_s - WINDOW_S) this.bumps.shift();
    while (this.flags[0]?.t_s < t_s - WINDOW_S) this.flags.shift();
    this.tell();
    for (const [key, mark] of this.marks) if ((mark.offset_s ?? mark.apex_s) < t_s - WINDOW_S) this.marks.delete(key);
    const now = performance.now();
    if (now - this.drawn < (STILL.matches ? 250 : 45)) return;
    this.drawn = now;
    requestAnimationFrame(() => this.draw());
  }

  mark(key, event) {
    if (event.type === "withdrawn") this.marks.delete(key);
    else this.marks.set(key, event);
  }

  bump(bump) {
    this.bumps.push(bump);
  }

  flag(marker) {
    this.flags.push(marker);
  }

  tell() {
    if (performance.now() - this.told < TEXT_MS) return;
    this.told = performance.now();
    const now = this.samples.at(-1);
    const events = [...this.marks.values()].map((event) =>
      t("curve.event", { label: className(event.label), s: number(now[0] - event.apex_s, 1) }),
    );
    this.text.textContent = t("curve.text", {
      now: number(now[1], 1),
      top: number(Math.max(...this.samples.map((s) => s[1])), 1),
      events: events.join(", ") || t("curve.no.events"),
    });
  }

  draw() {
    const { canvas } = this;
    const scale = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width) return;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const c = canvas.getContext("2d");
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, width, height);
    const css = getComputedStyle(document.documentElement);
    const colour = (name) => css.getPropertyValue(`--${name}`).trim();
    const now = this.samples.at(-1)?.[0] ?? 0;
    const top = Math.min(MOST_SCALE, Math.max(FULL_SCALE, ...this.samples.map((s) => s[1])));
    const x = (t) => width - ((now - t) / WINDOW_S) * width;
    const y = (level) => height - 18 - (Math.min(top, Math.max(0, level)) / top) * (height - 36);

    c.font = "11px system-ui, sans-serif";
    c.textBaseline = "alphabetic";
    c.strokeStyle = colour("line");
    c.lineWidth = 1;
    c.fillStyle = colour("soft");
    for (let s = 0; s <= WINDOW_S; s += width < 420 ? 4 : 2) {
      const at = Math.round(x(now - s)) - 0.5;
      c.beginPath();
      c.moveTo(at, 8);
      c.lineTo(at, height - 16);
      c.stroke();
      c.textAlign = s === 0 ? "right" : s === WINDOW_S ? "left" : "center";
      c.fillText(s === 0 ? t("curve.now") : t("curve.s", { s }), s === 0 ? width - 2 : Math.max(2, at), height - 3);
    }
    let free = -Infinity;
    for (const event of [...this.marks.values()].sort((a, b) => a.apex_s - b.apex_s)) {
      free = this.drawMark(c, event, x, height, colour, free);
    }
    this.scale(c, y, width, top, colour);
    if (this.samples.length < 2) return;
    const line = new Path2D();
    const area = new Path2D();
    let from = null;
    let last = null;
    for (const [t, level] of this.samples) {
      const at = x(t);
      if (last === null || t - last > GAP_S) {
        if (from !== null) close(area, x(last), from, y(0)); // frames are missing: nothing is known between
        line.moveTo(at, y(level));
        area.moveTo(at, y(0));
        from = at;
      } else {
        line.lineTo(at, y(level));
      }
      area.lineTo(at, y(level));
      last = t;
    }
    close(area, x(last), from, y(0));
    c.fillStyle = colour("accent-wash");
    c.fill(area);
    c.strokeStyle = colour("accent");
    c.lineWidth = 1.8;
    c.lineJoin = "round";
    c.stroke(line);
    this.reasons(c, x, height, colour);
    c.fillStyle = colour("ink");
    for (const { t_s } of this.flags) c.fillRect(x(t_s) - 1, 4, 2, height - 20);
  }

  // A letter for each larger bump that is no event.
  reasons(c, x, height, colour) {
    let free = -Infinity;
    c.font = "600 11px system-ui, sans-serif";
    for (const { at_s, why } of this.bumps) {
      const at = Math.max(8, x(at_s));
      if (at - 8 < free) continue;
      c.fillStyle = colour("panel");
      c.fillRect(at - 6, height - 32, 12, 13);
      c.fillStyle = colour("ink");
      c.textAlign = "center";
      c.fillText(t(`mark.${why}`), at, height - 21);
      free = at + 8;
    }
  }

  // How many times rest, and from where a movement stands out.
  scale(c, y, width, top, colour) {
    c.textAlign = "left";
    let above = Infinity;
    for (const tick of TICKS) {
      if (tick > top || above - y(tick) < 14) continue;
      above = y(tick);
      c.strokeStyle = colour(tick === STANDS_OUT ? "soft" : "line");
      c.setLineDash(tick === STANDS_OUT ? [4, 4] : []);
      c.beginPath();
      c.moveTo(0, above);
      c.lineTo(width, above);
      c.stroke();
      c.setLineDash([]);
      const words = tick === STANDS_OUT ? `${tick} ${t("curve.rest")}` : String(tick);
      c.fillStyle = colour("panel");
      c.fillRect(0, above - 14, c.measureText(words).width + 6, 13);
      c.fillStyle = colour("soft");
      c.fillText(words, 2, above - 3);
    }
  }

  // Its label only where it touches none before it, which ends at `free`; gives where this one ends.
  drawMark(c, event, x, height, colour, free) {
    const tone = colour(event.label) || colour("accent");
    const [onset, apex] = [x(event.onset_s), x(event.apex_s)];
    const end = event.offset_s === null ? null : x(event.offset_s);
    c.globalAlpha = 0.16;
    c.fillStyle = tone;
    c.fillRect(onset, 16, Math.max(2, (end ?? apex) - onset), height - 34);
    c.globalAlpha = event.state === "provisional" ? 0.75 : 1;
    c.strokeStyle = c.fillStyle = tone;
    c.lineWidth = 1.2;
    c.setLineDash([2, 3]);
    for (const at of end === null ? [onset] : [onset, end]) {
      c.beginPath();
      c.moveTo(at, 16);
      c.lineTo(at, height - 18);
      c.stroke();
    }
    c.setLineDash([]);
    c.lineWidth = 2;
    c.beginPath();
    c.moveTo(apex, 20);
    c.lineTo(apex, height - 18);
    c.stroke();
    c.beginPath();
    c.arc(apex, 18, 3.5, 0, 7);
    c.fill();
    c.globalAlpha = 1;
    const label = className(event.label);
    const wide = c.measureText(label).width;
    const left = Math.min(c.canvas.clientWidth - wide - 2, Math.max(SCALE_PX, apex - wide / 2));
    if (left < free + 6) return free;
    c.textAlign = "left";
    c.fillText(label, left, 10);
    return left + wide;
  }
}

function close(area, to, from, ground) {
  area.lineTo(to, ground);
  area.lineTo(from, ground);
}

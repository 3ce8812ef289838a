// The scrolling motion curve with the marks of each event.

const WINDOW_S = 12;
const FULL_SCALE = 12; // noise units, as in the terminal display
const MOST_SCALE = 24; // a turn of the head may leave the picture: it must not flatten everything else
const LABEL_PX = 54;
const GAP_S = 0.35;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export class Curve {
  constructor(canvas) {
    this.canvas = canvas;
    this.samples = []; // [t_s, level]
    this.marks = new Map();
    this.drawn = 0;
    new ResizeObserver(() => this.draw()).observe(canvas);
    addEventListener("themechange", () => requestAnimationFrame(() => this.draw()));
  }

  clear() {
    this.samples = [];
    this.marks.clear();
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
    c.fillStyle = colour("faint");
    for (let s = 0; s <= WINDOW_S; s += width < 420 ? 4 : 2) {
      const at = Math.round(x(now - s)) - 0.5;
      c.beginPath();
      c.moveTo(at, 8);
      c.lineTo(at, height - 16);
      c.stroke();
      c.textAlign = s === 0 ? "right" : s === WINDOW_S ? "left" : "center";
      c.fillText(s === 0 ? "now" : `−${s} s`, s === 0 ? width - 2 : Math.max(2, at), height - 3);
    }
    let free = -Infinity;
    for (const event of [...this.marks.values()].sort((a, b) => a.apex_s - b.apex_s)) {
      const room = x(event.apex_s) > free;
      this.drawMark(c, event, x, height, colour, room);
      if (room) free = x(event.apex_s) + LABEL_PX;
    }
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
  }

  drawMark(c, event, x, height, colour, room) {
    const tone = colour(event.label);
    const [onset, apex] = [x(event.onset_s), x(event.apex_s)];
    const end = event.offset_s === null ? null : x(event.offset_s);
    c.globalAlpha = 0.16;
    c.fillStyle = tone;
    c.fillRect(onset, 16, Math.max(2, (end ?? apex) - onset), height - 34);
    c.globalAlpha = event.state === "provisional" ? 0.6 : 1;
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
    c.textAlign = apex > c.canvas.clientWidth - 30 ? "right" : "center";
    if (room) c.fillText(event.label, apex, 10);
    c.globalAlpha = 1;
  }
}

function close(area, to, from, ground) {
  area.lineTo(to, ground);
  area.lineTo(from, ground);
}

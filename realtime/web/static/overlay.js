// The boxes of the faces on the visitor's own picture; drawn anew only when something has changed.

import { t } from "./words.js";

export class Overlay {
  constructor(canvas, video, chip) {
    this.canvas = canvas;
    this.video = video;
    this.chip = chip;
    this.mirrored = true;
    this.shown = "";
    addEventListener("themechange", () => (this.shown = ""));
  }

  clear() {
    this.shown = "";
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.chip.hidden = true;
  }

  draw({ faces, frame, phase, face, speaking }) {
    const { canvas, video } = this;
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !video.videoWidth) return;
    const wanted = [width, height, video.videoWidth, video.videoHeight, scale, this.mirrored, JSON.stringify(faces), frame, phase, face, speaking].join();
    if (wanted === this.shown) return;
    this.shown = wanted;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const c = canvas.getContext("2d");
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, width, height);
    this.chip.hidden = false;
    this.chip.dataset.phase = face === "ok" ? phase : "none";
    this.chip.textContent = face === "ok" ? t(speaking && phase === "idle" ? "speaking" : `phase.${phase}`) : t(`face.${face}`);
    if (!faces.length) return;
    // The video is shown whole ("contain"); the analysed frame covers the video.
    const shown = Math.min(width / video.videoWidth, height / video.videoHeight);
    const [w, h] = [video.videoWidth * shown, video.videoHeight * shown];
    const [sx, sy] = [w / frame[0], h / frame[1]];
    const css = getComputedStyle(document.documentElement);
    const places = faces.map(({ id, box }) => {
      const bw = box[2] * sx;
      const bx = this.mirrored ? w - box[0] * sx - bw : box[0] * sx;
      return { id, at: [(width - w) / 2 + bx, (height - h) / 2 + box[1] * sy, bw, box[3] * sy] };
    });
    c.beginPath();
    for (const { at } of places) corners(c, ...at);
    const colour = css.getPropertyValue(phase === "idle" ? "--box" : "--box-active").trim();
    // A dark rim, for bright pictures; a blurred shadow would cost more than all the rest.
    for (const [style, thick] of [["rgba(0, 0, 0, 0.35)", 4], [colour, 2]]) {
      c.strokeStyle = style;
      c.lineWidth = thick;
      c.stroke();
    }
    if (places.length < 2) return;
    c.font = "600 14px system-ui, sans-serif";
    c.lineWidth = 4;
    c.strokeStyle = "rgba(0, 0, 0, 0.7)";
    c.fillStyle = "#ffffff";
    for (const { id, at } of places) {
      c.strokeText(id, at[0] + 8, at[1] + 20);
      c.fillText(id, at[0] + 8, at[1] + 20);
    }
  }
}

function corners(c, x, y, w, h) {
  const r = Math.min(26, w / 4, h / 4);
  for (const [cx, cy, dx, dy] of [[x, y, 1, 1], [x + w, y, -1, 1], [x + w, y + h, -1, -1], [x, y + h, 1, -1]]) {
    c.moveTo(cx + dx * r, cy);
    c.arcTo(cx, cy, cx, cy + dy * r, 10);
    c.lineTo(cx, cy + dy * r);
  }
}

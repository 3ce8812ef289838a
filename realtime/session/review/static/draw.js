// What the review page draws: time line, curves, field of motion. Everything comes in as arguments.

const $ = (id) => document.getElementById(id);
const CURVES = ["accent", "negative", "surprise", "marker"];

export const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || tone("accent");

// The row of the frame with number `index`, or of the next one that there is.
export function rowOf(session, index) {
  let low = 0, high = session.index.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (session.index[middle] < index) low = middle + 1; else high = middle;
  }
  return low;
}

export const timeOf = (session, index) => session.t_s[rowOf(session, index)];

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

export function drawLine(session, events, chosen, row) {
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
  for (const one of events) {
    const from = x(timeOf(session, one.onset_frame)), to = x(timeOf(session, one.offset_frame ?? one.apex_frame));
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

export function drawCurves(loop) {
  const [pen, width, height] = canvas("curves");
  $("names").replaceChildren();
  if (!loop || loop.index.length < 2) return;
  const names = Object.keys(loop.curves), top = Math.max(0.5, ...loop.course, ...Object.values(loop.curves).flat());
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
export function drawField(loop) {
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

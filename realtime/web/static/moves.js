// What the face did, in words: the regions that moved most, in px of the picture, and which stayed at rest.

import { number, t } from "./words.js";

const MOST = 3;
const OF_LARGEST = 0.45;
const LEAST_PX = 0.25;
const PLURAL = {
  brow: "brows", lid: "lids", under_eye: "under_eyes", cheek: "cheeks", nose: "noses", mouth: "mouths", jaw: "jaws",
};

// `moves`: [{ region, dx, dy, px }] of one event; `ms`: its length, null until it is known.
export function moveWords(moves, ms, mirrored) {
  const parts = together(moves).sort((a, b) => b.px - a.px);
  const largest = parts[0]?.px ?? 0;
  if (largest < LEAST_PX) return "";
  const flip = mirrored ? -1 : 1;
  const told = parts
    .filter((part) => part.px >= Math.max(LEAST_PX, OF_LARGEST * largest))
    .slice(0, MOST)
    .map((part) => t("move.one", { part: part.name, way: way(part, flip), px: number(part.px, 1) }));
  let words = told.join(", ");
  if (ms !== null) words = t("move.for", { moves: words, ms: number(Math.round(ms)) });
  const rest = [["mouth", /mouth|lip/], ["brows", /brow/]].filter(([, pattern]) => {
    const them = moves.filter((move) => pattern.test(move.region));
    return them.length && Math.max(...them.map((move) => move.px)) < Math.max(LEAST_PX, 0.25 * largest);
  });
  return [words, ...rest.map(([name]) => t("move.rest", { part: t(`rest.${name}`) }))].join("; ");
}

// Inner and outer brow are one part; left and right are one where they move alike.
function together(moves) {
  const groups = new Map();
  for (const move of moves) {
    const [, kind, side] = move.region.match(/^(brow|.+?)(?:_inner|_outer)?(?:_(right|left))?$/);
    const key = `${kind}.${side ?? ""}`;
    groups.set(key, [...(groups.get(key) ?? []), move]);
  }
  const parts = [];
  for (const [key, members] of groups) {
    const [kind, side] = key.split(".");
    const other = groups.get(`${kind}.${side === "right" ? "left" : "right"}`);
    const pair = side && other ? both(mean(side === "right" ? members : other), mean(side === "right" ? other : members)) : null;
    if (pair) {
      if (side === "right") parts.push({ ...pair, name: t(`part.${PLURAL[kind]}`) });
    } else {
      parts.push({ ...mean(members), name: side ? t(`side.${side}`, { part: t(`part.${kind}`) }) : t(`part.${kind}`) });
    }
  }
  return parts;
}

function mean(moves) {
  const [dx, dy] = ["dx", "dy"].map((name) => moves.reduce((sum, move) => sum + move[name], 0) / moves.length);
  return { dx, dy, px: Math.hypot(dx, dy) };
}

// The subject's right and left side as one, where they move alike or as in a mirror and neither more than twice the
// other; null elsewhere. The right side lies to the left in the picture.
function both(right, left) {
  if (Math.min(right.px, left.px) < 0.5 * Math.max(right.px, left.px)) return null;
  const dy = (right.dy + left.dy) / 2;
  const [out, along] = [(left.dx - right.dx) / 2, (left.dx + right.dx) / 2];
  const mirrored = Math.abs(out) > Math.abs(along);
  const dx = mirrored ? out : along;
  const px = Math.hypot(dx, dy);
  return px < 0.7 * Math.max(right.px, left.px) ? null : { dx, dy, px, mirrored };
}

// The larger part of the way first; the smaller one where it is no less than half of it.
function way({ dx, dy, mirrored }, flip) {
  const ways = [[Math.abs(dy), dy < 0 ? "up" : "down"]];
  if (mirrored) ways.push([Math.abs(dx), dx > 0 ? "outwards" : "inwards"]);
  else ways.push([Math.abs(dx), flip * dx < 0 ? "left" : "right"]);
  ways.sort(([a], [b]) => b - a);
  const [[most, first], [less, second]] = ways;
  return less < most / 2 ? t(`move.${first}`) : t("move.both", { a: t(`move.${first}`), b: t(`move.${second}`) });
}

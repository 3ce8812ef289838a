// One line an event, opening on demand; the newest one in full above the list. Provisional first, then final and
// confirmed in place, or taken back.

import { cutLoop, Loop } from "./loop.js";
import { moveWords } from "./moves.js";
import { className, number, percent, t, timeOfDay, whyWords } from "./words.js";

const MOST = 500;
export const LOOPS = 20;

export class Cards {
  constructor({ list, latest, empty, spoken, ring }) {
    Object.assign(this, { list, latest, empty, spoken, ring });
    this.cards = new Map();
    this.loops = new Map(); // place -> what is shown there
    this.filter = { only: "", least: 0 };
  }

  // `seen`: { onset, apex, offset } on this page's clock, null when unknown; `late_ms` from the apex to this moment;
  // `whose`: number of the face, null where there is one.
  show(key, event, seen, late_ms, whose) {
    const card = this.cards.get(key) ?? (event.type === "withdrawn" ? null : this.make(key, late_ms));
    if (!card) return;
    if (event.type === "withdrawn") {
      card.event = { ...card.event, state: "withdrawn", reason: event.reason };
      this.say(t("withdrawn.said", { why: whyWords(event.reason) }));
    } else {
      card.event = event;
      card.whose = whose;
      if (seen) card.seen = seen;
      if (event.state === "final") {
        this.say(t("said", { label: className(event.label), percent: percent(event.probs[event.label]) }));
      }
    }
    this.draw(card);
  }

  moves(key, moves, context) {
    const card = this.cards.get(key);
    if (!card) return;
    card.moves = moves;
    card.context = context; // the face's box, the frame's size, whether the picture is mirrored
    this.draw(card);
  }

  // The pictures after the end have arrived by now.
  film(key, context) {
    const card = this.cards.get(key);
    if (!card?.seen || card.film || card.forgotten || card.event.state === "withdrawn") return;
    card.context ??= context;
    card.film = context ? cutLoop(this.ring, card.seen, context.box, context.frame) : null;
    card.missed = !card.film;
    const filmed = [...this.cards.values()].filter((c) => c.film);
    for (const old of filmed.slice(0, Math.max(0, filmed.length - LOOPS))) {
      old.film = null;
      old.forgotten = true;
    }
    this.draw(card);
  }

  divide(words) {
    if (!this.cards.size) return;
    const item = element("li", "divider");
    item.textContent = words;
    this.append(item);
  }

  select(filter) {
    this.filter = filter;
    for (const card of this.cards.values()) this.sift(card);
  }

  make(key, late_ms) {
    this.empty.hidden = true;
    const item = element("li", "card");
    const fold = element("details", "", item);
    const line = element("summary", "", fold);
    const card = { key, item, fold, line, moves: [], late_ms, time: new Date(Date.now() - (late_ms ?? 0)) };
    fold.addEventListener("toggle", () => this.draw(card));
    this.cards.set(key, card);
    this.append(item);
    if (this.cards.size > MOST) {
      const [oldest, old] = this.cards.entries().next().value;
      old.item.remove();
      this.loops.delete(old.fold);
      this.cards.delete(oldest);
    }
    this.newest = card;
    return card;
  }

  // At the end, as in a log: whatever stands there stays where it is, and the end is kept in view.
  append(item) {
    const { list } = this;
    const atEnd = list.scrollTop + list.clientHeight > list.scrollHeight - 60;
    list.append(item);
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  draw(card) {
    const { item, line, fold, event } = card;
    item.dataset.label = event.label;
    item.dataset.state = event.state;
    line.replaceChildren(...headline(card));
    if (fold.open) this.fill(fold, card);
    else fold.querySelector(".body")?.remove();
    this.sift(card);
    if (card !== this.newest) return;
    const { latest } = this;
    latest.dataset.label = event.label;
    latest.dataset.state = event.state;
    if (!latest.querySelector(".headline")) latest.replaceChildren(element("p", "headline"));
    latest.firstChild.replaceChildren(...headline(card));
    this.fill(latest, card);
  }

  // A loop that goes on being shown stays where it is: its button may have the focus.
  fill(place, card) {
    const body = place.querySelector(".body");
    const shown = this.loops.get(place);
    if (body && card.film && shown?.film === card.film && card.event.state !== "withdrawn") {
      shown.loop.moves = card.moves;
      body.lastChild.replaceWith(this.beside(card));
      return;
    }
    body?.remove();
    place.append(this.body(place, card));
  }

  sift({ item, event }) {
    const { only, least } = this.filter;
    item.hidden = Boolean(only && event.label !== only) || event.score < least;
  }

  body(place, card) {
    const { event } = card;
    this.loops.delete(place);
    const body = element("div", "body");
    if (event.state === "withdrawn") {
      element("p", "words", body).textContent = t("withdrawn", { why: whyWords(event.reason) });
      return body;
    }
    if (card.film && card.seen) {
      const loop = new Loop(card.film, card.seen, card.moves, card.context.mirrored, className(event.label));
      this.loops.set(place, { film: card.film, loop });
      body.append(loop.element);
    } else {
      const awaited = card.seen && !card.missed;
      const words = card.forgotten ? t("loop.gone", { count: LOOPS }) : t(awaited ? "loop.waiting" : "loop.none");
      element("div", "loop none", body).textContent = words;
    }
    body.append(this.beside(card));
    return body;
  }

  beside(card) {
    const { event } = card;
    const ms = event.offset_s === null ? null : 1000 * (event.offset_s - event.onset_s);
    const beside = element("div", "beside");
    const told = card.moves.length ? moveWords(card.moves, ms, card.context?.mirrored) : "";
    if (told) element("p", "words", beside).textContent = told;
    const bars = element("ul", "bars", beside);
    for (const [name, p] of Object.entries(event.probs)) {
      const row = element("li", name === event.label ? "best" : "", bars);
      row.dataset.label = name;
      element("span", "name", row).textContent = className(name);
      element("span", "fill", element("span", "track", row)).style.width = `${(100 * p).toFixed(1)}%`;
      element("span", "value", row).textContent = `${percent(p)} %`;
    }
    const notes = [
      ms === null ? "" : t("lasted", { ms: number(Math.round(ms)) }),
      card.late_ms === null ? "" : t("shown", { ms: number(Math.round(card.late_ms)) }),
    ];
    element("p", "notes", beside).textContent = notes.filter(Boolean).join(" · ");
    return beside;
  }

  say(words) {
    this.spoken.textContent = words;
  }
}

function headline({ event, time, whose }) {
  const parts = [
    ["time", "clock", timeOfDay(time)],
    ["strong", "label", className(event.label)],
    ...(whose ? [["span", "whose", t("whose", { number: whose })]] : []),
    ["span", "score", t("score", { percent: percent(event.score) })],
    ["span", "badge", t(`state.${event.state}`)],
  ];
  return parts.map(([tag, name, words]) => {
    const made = element(tag, name);
    made.textContent = words;
    if (name === "score") made.title = t("score.explained");
    return made;
  });
}

function element(tag, name, parent) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  parent?.append(made);
  return made;
}

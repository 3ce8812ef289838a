// One line over the session: events a minute, and how much of the time the face could be used and spoke.

import { number, percent, t } from "./words.js";

export class Summary {
  constructor(line) {
    this.line = line;
    this.events = new Set();
    this.states = this.face = this.speaking = 0;
    this.seconds = 0;
    this.last = null;
    this.shown = 0;
  }

  event(key, withdrawn) {
    if (withdrawn) this.events.delete(key);
    else this.events.add(key);
  }

  state(state, now) {
    if (this.last !== null && now - this.last < 1000) this.seconds += (now - this.last) / 1000;
    this.last = now;
    this.states += 1;
    this.face += state.face === "ok";
    this.speaking += Boolean(state.speaking);
    if (now - this.shown < 1000 || this.seconds < 5) return;
    this.shown = now;
    const minutes = Math.floor(this.seconds / 60);
    this.line.textContent = t("summary", {
      minute: number((60 * this.events.size) / this.seconds, 1),
      speaking: percent(this.speaking / this.states),
      face: percent(this.face / this.states),
      time: `${minutes}:${String(Math.floor(this.seconds % 60)).padStart(2, "0")}`,
    });
  }
}

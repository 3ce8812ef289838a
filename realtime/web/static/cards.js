// One card an event: provisional first, final in place, or taken back.

const MOST = 60;

export class Cards {
  constructor(list, empty, spoken) {
    this.list = list;
    this.empty = empty;
    this.spoken = spoken;
    this.cards = new Map();
  }

  // `late_ms`: from the apex to this moment, null when unknown.
  show(key, event, late_ms) {
    this.empty.hidden = true;
    let card = this.cards.get(key);
    if (event.type === "withdrawn") {
      if (card) this.withdraw(card, event);
      return;
    }
    if (!card) {
      card = this.make();
      this.cards.set(key, card);
      this.list.prepend(card.item);
      if (this.cards.size > MOST) this.forget(this.cards.keys().next().value);
      card.firstSeen = late_ms;
    }
    const { item } = card;
    item.dataset.label = event.label;
    item.dataset.state = event.state;
    card.title.textContent = event.label;
    card.badge.textContent = event.state;
    card.time.textContent = clock(event.apex_s);
    for (const [name, p] of Object.entries(event.probs)) {
      const row = card.row(name);
      row.bar.style.width = `${(100 * p).toFixed(1)}%`;
      row.value.textContent = `${Math.round(100 * p)} %`;
      row.item.classList.toggle("best", name === event.label);
    }
    const length = event.offset_s === null ? "" : `lasted ${Math.round(1000 * (event.offset_s - event.onset_s))} ms`;
    const shown = card.firstSeen === null ? "" : `shown ${Math.round(card.firstSeen)} ms after its apex`;
    card.notes.textContent = [length, shown].filter(Boolean).join(" · ");
    if (event.state === "final") this.say(`${event.label}, ${Math.round(100 * event.probs[event.label])} percent`);
  }

  forget(key) {
    this.cards.get(key).item.remove();
    this.cards.delete(key);
  }

  withdraw(card, event) {
    card.item.dataset.state = "withdrawn";
    card.badge.textContent = "taken back";
    card.notes.textContent = event.reason ? `It was something else: ${event.reason}.` : "It was something else.";
    this.say("The last event was taken back");
  }

  say(words) {
    this.spoken.textContent = words;
  }

  make() {
    const item = element("li", "card");
    const head = element("div", "card-head", item);
    const title = element("h3", "", head);
    const badge = element("span", "badge", head);
    const time = element("time", "", head);
    const bars = element("ul", "bars", item);
    const notes = element("p", "notes", item);
    const rows = new Map();
    const row = (name) => {
      if (!rows.has(name)) {
        const line = element("li", "", bars);
        line.dataset.label = name;
        element("span", "name", line).textContent = name;
        const bar = element("span", "fill", element("span", "track", line));
        rows.set(name, { item: line, bar, value: element("span", "value", line) });
      }
      return rows.get(name);
    };
    return { item, title, badge, time, notes, row };
  }
}

function element(tag, name, parent) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  parent?.append(made);
  return made;
}

function clock(s) {
  const minutes = Math.floor(s / 60);
  return `${minutes}:${(s - 60 * minutes).toFixed(2).padStart(5, "0")}`;
}

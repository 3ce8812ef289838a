// The events of this visit as files, made in the page: columns and fields as mer-live writes them, and the
// stream, since ids begin anew with each connection (or each run of the server's camera).

const MOST = 20_000;
const columns = (classes) => [
  "type", "id", "revision", "state", "label", ...classes.map((name) => `prob_${name}`), "score", "onset_s", "apex_s", "offset_s", "onset_frame", "apex_frame", "offset_frame", "decided_s", "delay_ms", "compute_ms", "face", "face_box",
  "engine", "backend", "reason", "text", "by", "stream",
];

export class Records {
  constructor() {
    this.records = [];
    this.known = new Set();
  }

  // An event, the start of a run, or a marker; false for one that was added before.
  add({ v, run, ...record }, stream) {
    const key = [stream, record.id ?? record.type, record.revision ?? record.t_s, record.text].join(".");
    if (this.known.has(key)) return false;
    this.known.add(key);
    this.records.push({ ...record, stream });
    if (this.records.length > MOST) this.records.shift();
    return true;
  }

  jsonl() {
    return this.records.map((record) => JSON.stringify(record) + "\n").join("");
  }

  csv() {
    const classes = Object.keys(this.records.find((record) => record.probs)?.probs ?? {});
    const names = columns(classes);
    const rows = this.records.filter((record) => record.type !== "start").map((record) => {
      const flat = { ...record };
      if (record.type === "marker") flat.onset_s = record.t_s;
      for (const name of classes) flat[`prob_${name}`] = record.probs?.[name];
      if (record.face) Object.assign(flat, { face: record.face.id, face_box: record.face.box.join(" ") });
      return names.map((name) => cell(flat[name])).join(",");
    });
    return [names.join(","), ...rows].join("\r\n") + "\r\n";
  }

  save(kind) {
    const [text, type] = kind === "csv" ? [this.csv(), "text/csv"] : [this.jsonl(), "application/x-ndjson"];
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = `mer-live-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}

function cell(value) {
  if (value === undefined || value === null) return "";
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

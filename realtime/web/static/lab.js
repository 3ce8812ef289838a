// What a lab wants of the page: marks, and that a visitor agrees to be recorded.

import { t } from "./words.js";

const $ = (id) => document.getElementById(id);

export class Lab {
  constructor(send) {
    this.count = 0;
    $("mark").addEventListener("click", () => {
      this.count += 1;
      send({ type: "marker", text: `mark ${this.count}` });
    });
  }

  // Whether the visitor has agreed to be recorded.
  get agreed() {
    return $("record").checked;
  }

  // What the server does, before anybody agrees to anything.
  about({ record, mode }) {
    if (!record || mode !== "own") return;
    $("record-row").hidden = false;
    $("consent-picture").textContent = t("consent.picture.record");
    $("footer").textContent = t("footer.record");
  }

  hello({ recording }) {
    $("recording").hidden = !recording;
  }
}

// The words of the page's language: t(key, { name: value }). Everything that can go wrong says what to do.

export const lang = document.documentElement.lang;
const catalogue = await (await fetch(`/static/${lang}.json`)).json();

export function t(key, values = {}) {
  return (catalogue[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const known = (key) => key in catalogue;

// A bundle of its own scheme may name any class.
export const className = (name) => (known(`class.${name}`) ? t(`class.${name}`) : name);

export function number(value, digits = 0) {
  return value.toLocaleString(lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export const percent = (share) => number(Math.round(100 * share));

export function timeOfDay(date) {
  return date.toLocaleTimeString(lang, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export function cameraWords(error) {
  const key = `camera.${error.name}`;
  return known(key) ? t(key) : t("camera.other", { name: error.name });
}

export const serverWords = (reason) => t(known(`server.${reason}`) ? `server.${reason}` : "server.lost");

const WHY = {
  blink: "blink",
  speech: "speech",
  speaking: "speech",
  "head moved": "head",
  "too long": "long",
  "did not return": "return",
  "went on moving": "return",
  "frames no longer held": "frames",
  "the recording jumped": "frames",
  "face lost": "face",
  "frames missing": "frames",
};

export const whyWords = (reason) => t(`why.${WHY[reason] ?? "small"}`);

// Light or dark: the system's choice until the visitor makes one. Loaded before the first paint.
"use strict";
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const read = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage may be forbidden
    }
  };
  const show = (theme) => {
    root.dataset.theme = theme ?? (system.matches ? "dark" : "light");
    dispatchEvent(new Event("themechange"));
  };
  show(read());
  system.addEventListener("change", () => show(read()));
  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", () => {
      const theme = root.dataset.theme === "dark" ? "light" : "dark";
      try {
        localStorage.setItem("theme", theme);
      } catch {
        // it lasts until the page is closed, then
      }
      show(theme);
    });
  });
})();

// The screen stays on while the analysis runs, where the browser allows it.

let lock = null;

export async function stayAwake() {
  try {
    lock = (await navigator.wakeLock?.request("screen")) ?? null;
  } catch {
    // a battery saver may forbid it: the screen goes dark as it would without this page
  }
}

export function letSleep() {
  lock?.release();
  lock = null;
}

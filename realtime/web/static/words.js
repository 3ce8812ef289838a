// Everything that can go wrong, in words that say what to do.

export const CAMERA = {
  insecure:
    "The browser gives the camera to secure pages only. Open this page as http://localhost on the same computer, or serve it with TLS (--cert and --key).",
  NotFoundError: "No camera was found. Plug one in, or check that the system sees it, then try again.",
  NotAllowedError:
    "The camera was refused. Allow it in the browser's address bar (and in the system's privacy settings), then try again.",
  NotReadableError: "The camera is in use by another program. Close that program, then try again.",
  OverconstrainedError: "This camera does not fit. Choose another one.",
  AbortError: "The camera stopped while it was starting. Try again.",
  ended: "The camera was unplugged, or another program took it. Connect it, then start again.",
};

export const SERVER = {
  busy: "The server is full: every place is taken.",
  unreachable: "The server cannot be reached.",
  lost: "The connection was lost.",
  token: "This server asks for an access token. Enter it, then start again.",
  origin: "This page comes from another address than the server expects. Open the server's own address.",
  media: "The connection could not be made: the network lets web pages through, but not video.",
};

export const WEAK = {
  fps: (fps) =>
    `Only ${fps} frames a second arrive; below 25, short movements are missed. More light, a cable instead of Wi-Fi or a faster computer help.`,
  camera: (fps) => `The server's camera gives only ${fps} frames a second; below 25, short movements are missed.`,
  server: (done, fps) =>
    `The server keeps up with ${Math.round(done)} of ${Math.round(fps)} frames a second; short movements may be missed.`,
  size: (width, height) =>
    `The picture arrives at ${width}×${height} only; below 320 pixels, small movements are lost.`,
};

export function cameraWords(error) {
  return CAMERA[error.name] ?? `The camera cannot be used (${error.name}). Try again, or choose another one.`;
}

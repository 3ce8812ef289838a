// The visitor's camera: asked for once consent was given, and let go of entirely.

import { t } from "./words.js";

export class CameraError extends Error {}

export async function openCamera(deviceId) {
  if (!isSecureContext || !navigator.mediaDevices?.getUserMedia) throw new CameraError(t("camera.insecure"));
  const video = {
    width: { ideal: 640 },
    height: { ideal: 480 },
    frameRate: { ideal: 60 },
    ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" }),
  };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: false, video });
  // Otherwise Chromium smooths VP8 over time, which costs a movement of few gray levels a sixth of its size.
  stream.getVideoTracks()[0].contentHint = "detail";
  return stream;
}

export async function listCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === "videoinput");
}

export function closeCamera(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

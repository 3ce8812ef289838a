"""A simulated camera: head pose, optics, light, sensor noise, compression."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.training.synthesis.faces.face_model import CROP, FaceModel


@dataclass(frozen=True, slots=True)
class Light:
    """Brightness over time and the tone curve."""

    gain: float = 1.0
    gamma: float = 1.0
    offset: float = 0.0
    """Gray levels."""
    flicker: float = 0.0
    """Relative amplitude."""
    flicker_hz: float = 0.0
    drift: float = 0.0
    """Relative change per second."""

    def at(self, t_s: float) -> float:
        """Relative brightness at a time."""
        return self.gain * (
            1 + self.flicker * math.sin(2 * math.pi * self.flicker_hz * t_s) + self.drift * t_s
        )


@dataclass(frozen=True, slots=True)
class Sensor:
    """Blur, noise and compression, in camera pixels and gray levels."""

    blur_px: float = 0.0
    read_noise: float = 0.0
    """Standard deviation that does not depend on brightness, gray levels."""
    shot_noise: float = 0.0
    """Standard deviation at gray level 128; it grows with the root of brightness."""
    jpeg: int | None = None
    """Quality 1..100, None for raw frames."""


def draw_light(rng: np.random.Generator) -> Light:
    """Random indoor light."""
    flicker = float(rng.uniform(0, 0.015)) if rng.random() < 0.4 else 0.0
    return Light(
        gain=float(np.exp(rng.normal(0, 0.18))),
        gamma=float(np.exp(rng.normal(0, 0.18))),
        offset=float(rng.normal(0, 6)),
        flicker=flicker,
        flicker_hz=float(rng.uniform(0.5, 20)),
        drift=float(rng.normal(0, 0.01)),
    )


def draw_sensor(rng: np.random.Generator, fps: float) -> Sensor:
    """A random camera; short exposures at a high rate are noisier."""
    noise = float(rng.uniform(0.3, 1.6)) * (1.25 if fps > 90 else 1.0)
    jpeg = int(rng.integers(70, 97)) if rng.random() < 0.3 else None
    return Sensor(float(rng.uniform(0, 0.8)), 0.5 * noise, noise, jpeg)


_POOL: list[NDArray[np.float32]] = []


def _noise(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Standard normal values: a random stretch of a fixed pool, a hundred times faster than drawing."""
    if not _POOL:
        _POOL.append(np.random.default_rng(0).standard_normal(1 << 22, dtype=np.float32))
    pool = _POOL[0]
    if count > len(pool) // 2:
        return rng.standard_normal(count, dtype=np.float32)
    start = int(rng.integers(len(pool) - count))
    return pool[start : start + count]


class Camera:
    """Films a model's texture; one per clip and thread.

    Args:
        size: (width, height) of its frames.
        placement: (2, 3) maps crop px of the photograph, head at rest, to frame px.
    """

    def __init__(
        self,
        model: FaceModel,
        size: tuple[int, int],
        placement: NDArray[np.float64],
        light: Light,
        sensor: Sensor,
        rng: np.random.Generator,
    ) -> None:
        self.size = size
        self.light = light
        self.sensor = sensor
        self._rng = rng
        self._placement = np.vstack([placement, [0, 0, 1]])
        to_crop = np.linalg.inv(np.vstack([model.to_texture, [0, 0, 1]]))
        self._from_texture = to_crop
        self._pivot = np.array([CROP / 2, CROP * 0.95])
        """Heads turn about the neck rather than the nose."""
        shrink = float(np.sqrt(abs(np.linalg.det(placement[:, :2])))) / model.density
        self._prefilter = 0.45 / shrink if shrink < 0.45 else 0.0
        levels = np.arange(256, dtype=np.float32)
        self._sigma = np.sqrt(sensor.read_noise**2 + sensor.shot_noise**2 * levels / 128)

    def matrix(self, head: NDArray[np.float64]) -> NDArray[np.float64]:
        """(2, 3) maps crop px of the face to frame px for a head pose (x, y, roll, log scale)."""
        scale = math.exp(head[3])
        c, s = scale * math.cos(head[2]), scale * math.sin(head[2])
        linear = np.array([[c, -s], [s, c]])
        shift = self._pivot + head[:2] - linear @ self._pivot
        pose = np.vstack([np.hstack([linear, shift[:, None]]), [0, 0, 1]])
        return np.asarray((self._placement @ pose)[:2])

    def film(self, texture: NDArray[np.uint8], head: NDArray[np.float64], t_s: float) -> NDArray[np.uint8]:
        """One frame of a rendered texture: (h, w) or (h, w, 3) uint8, a new array."""
        matrix = (np.vstack([self.matrix(head), [0, 0, 1]]) @ self._from_texture)[:2]
        if self._prefilter:
            texture = np.asarray(cv2.GaussianBlur(texture, (0, 0), self._prefilter), np.uint8)
        frame = cv2.warpAffine(
            texture, matrix, self.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        if self.sensor.blur_px > 0.25:
            frame = cv2.GaussianBlur(frame, (0, 0), self.sensor.blur_px)
        levels = np.arange(256, dtype=np.float32) / 255
        curve = 255 * (levels ** np.float32(self.light.gamma)) * np.float32(self.light.at(t_s)) + np.float32(
            self.light.offset
        )
        curve = np.clip(curve, 0, 255).astype(np.float32)
        bright = cv2.LUT(frame, curve)
        if self.sensor.read_noise or self.sensor.shot_noise:
            noise = _noise(self._rng, frame.size).reshape(frame.shape)
            sigma = cv2.LUT(frame, self._sigma[np.clip(curve, 0, 255).astype(np.uint8)])
            cv2.accumulateProduct(noise, sigma, bright)
        frame = cv2.convertScaleAbs(np.maximum(bright, 0))
        if self.sensor.jpeg is not None:
            done, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, self.sensor.jpeg])
            if not done:
                raise RuntimeError("OpenCV could not encode a frame as JPEG")
            frame = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        return np.asarray(frame, np.uint8)

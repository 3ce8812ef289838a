"""Cameras through OpenCV."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.controls import control
from mer_live.realtime.sources.decoder import frame_size, quiet_opencv, retrieve

_FAILURES = 10
_FAILURE_PAUSE_S = 0.05
_SILENCE_NS = 10_000_000_000
_ENOUGH = 0.85
_HALVED = 0.6
_OF_A_FRAME = 0.8
"""Share of a frame's time that an exposure may take: the rest is reading out."""


@dataclass(frozen=True)
class CameraInfo:
    """A camera that can be opened."""

    source: int | str
    """What to give as the source: a number, or a device path where there are such."""
    size: tuple[int, int]
    """(width, height) px before anything is asked of it."""
    fps: float
    """What it claims, 0.0 if nothing."""


class CameraSource(FrameSource):
    """A camera; a frame's time is the monotonic clock right after it was grabbed."""

    def __init__(self, cfg: CameraConfig, connect: Callable[[], cv2.VideoCapture] | None = None) -> None:
        """Open and configure the camera and take one frame from it; SourceError when that fails."""
        self._name = f"camera {cfg.source}"
        with quiet_opencv():
            capture = (connect or (lambda: _connect(cfg.source)))()
            if not capture.isOpened():
                raise SourceError(
                    f"{self._name} cannot be opened: see which cameras there are with --list-cameras, "
                    "check that it is plugged in and that this program may use it"
                )
            _request(capture, cfg)
            self._missed = control(capture, cfg)
        self._capture = capture
        try:
            frame_size(capture, self._name)
            size = self._first_size()
        except SourceError:
            capture.release()
            raise
        nominal_fps = max(0.0, float(capture.get(cv2.CAP_PROP_FPS)))
        self.fourcc = _letters(int(capture.get(cv2.CAP_PROP_FOURCC)))
        """Pixel format that was negotiated, '' if unknown."""
        super().__init__(
            cfg,
            size=size,
            recorded=False,
            nominal_fps=nominal_fps,
            description=f"{self._name}: {size[0]}x{size[1]} {self.fourcc}".rstrip()
            + f", {nominal_fps:g} fps negotiated",
        )
        self._last_ns = time.monotonic_ns()

    @property
    def hint(self) -> str | None:
        """What to try when the camera gives another size, or clearly fewer frames, than it was asked for."""
        asked = self.cfg
        if asked.size is not None and asked.size != self.size:
            return (
                f"{self._name} gives {self.size[0]}x{self.size[1]} instead of "
                f"{asked.size[0]}x{asked.size[1]}: ask for a size that it has"
            )
        if self._missed:
            return f"{self._name} did not take {', '.join(self._missed)}: its driver has no such control or value"
        wanted = asked.fps or self.nominal_fps
        if self.captured <= wanted or not 0 < self.measured_fps < _ENOUGH * wanted:
            return None
        if self.measured_fps < _HALVED * wanted and not isinstance(asked.exposure_ms, float):
            return (
                f"{self._name} gives {self.measured_fps:.0f} of {wanted:.0f} fps, as automatic exposure does in low "
                f"light: add light, or fix it with --exposure {max(1, int(_OF_A_FRAME * 1000 / wanted))}"
            )
        compressed = self.fourcc == "MJPG" or asked.fourcc is not None
        return (
            f"{self._name} gives {self.measured_fps:.0f} of {wanted:.0f} fps: "
            "more light or a fixed short exposure"
            + ("" if compressed else ", and --fourcc MJPG,")
            + " usually helps, a smaller --size too"
        )

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        """Wait for the next frame; its time, ns."""
        for _ in range(_FAILURES):
            if self._capture.grab():
                t_ns = time.monotonic_ns()
                if retrieve(self._capture, slot):
                    self._last_ns = t_ns
                    return t_ns
            if time.monotonic_ns() - self._last_ns > _SILENCE_NS:
                break
            if self._halt.wait(_FAILURE_PAUSE_S):
                return None
        raise SourceError(
            f"{self._name} stopped giving frames: plug it in again, or close the program that took it"
        )

    def release(self) -> None:
        """Give the camera back."""
        self._capture.release()

    def _first_size(self) -> tuple[int, int]:
        """Take a frame: its size is the truth, and a camera that is in use elsewhere fails here."""
        for _ in range(_FAILURES):
            ok, image = self._capture.read()
            if ok:
                return int(image.shape[1]), int(image.shape[0])
            time.sleep(_FAILURE_PAUSE_S)
        raise SourceError(
            f"{self._name} gives no frames: close other programs that use it, or plug it in again"
        )


def list_cameras(most: int = 10) -> list[CameraInfo]:
    """Open each possible camera for a moment, and list those that answer. Ends at once where there are none."""
    devices = sorted(Path("/dev").glob("video*"), key=lambda p: (len(p.name), p.name))
    sources: list[int | str] = [str(p) for p in devices]
    if platform.system() != "Linux":
        sources = list(range(most))
    found: list[CameraInfo] = []
    misses = 0
    for source in sources:
        with quiet_opencv():
            capture = _connect(source)
        if capture.isOpened():
            size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
            found.append(CameraInfo(source, size, max(0.0, float(capture.get(cv2.CAP_PROP_FPS)))))
            misses = 0
        else:
            misses += 1
        capture.release()
        if platform.system() != "Linux" and misses == 2:  # numbers are handed out without gaps
            break
    return found


def _connect(source: int | str) -> cv2.VideoCapture:
    """Open a camera with the system's own backend; OpenCV's guessing tries, and complains about, them all."""
    backends = {"Windows": cv2.CAP_DSHOW, "Darwin": cv2.CAP_AVFOUNDATION, "Linux": cv2.CAP_V4L2}
    backend = backends.get(platform.system(), cv2.CAP_ANY)
    return cv2.VideoCapture(int(source) if str(source).isdigit() else source, backend)


def _request(capture: cv2.VideoCapture, cfg: CameraConfig) -> None:
    """Ask for format, size and rate, in the order in which the one limits the next."""
    if cfg.fourcc is not None:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*cfg.fourcc))
    if cfg.size is not None:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, cfg.size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, cfg.size[1])
    if cfg.fps is not None:
        capture.set(cv2.CAP_PROP_FPS, cfg.fps)


def _letters(fourcc: int) -> str:
    """Return the four letters of an OpenCV pixel format code, '' when they are not letters."""
    letters = "".join(chr((fourcc >> 8 * i) & 0xFF) for i in range(4)) if fourcc > 0 else ""
    return letters if letters.isprintable() else ""

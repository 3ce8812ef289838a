"""Exposure, gain and focus of a camera, in each system's own units; what the driver does not take is told."""

from __future__ import annotations

import math
import platform
from typing import Literal, Protocol

import cv2

from mer_live.realtime.sources.config import CameraConfig

_CLOSE = 0.25
"""Drivers round to steps of their own; on Windows each is twice the one before."""
_MANUAL_AUTO = {"Linux": (1.0, 3.0), "Windows": (0.25, 0.75)}
"""Values of CAP_PROP_AUTO_EXPOSURE: V4L2's menu, and DirectShow's as OpenCV has it."""


class Controls(Protocol):
    """What a `cv2.VideoCapture` offers."""

    def set(self, propId: int, value: float, /) -> bool:  # noqa: N803  (OpenCV's name)
        """Whether the driver took it."""

    def get(self, propId: int, /) -> float:  # noqa: N803
        """What it is."""


def control(capture: Controls, cfg: CameraConfig, system: str | None = None) -> list[str]:
    """Set what ``cfg`` asks for; a few words for each that the camera did not take."""
    system = system or platform.system()
    missed = []
    if cfg.exposure_ms is not None and not _expose(capture, cfg.exposure_ms, system):
        wanted = "automatic" if cfg.exposure_ms == "auto" else f"{cfg.exposure_ms:g} ms"
        missed.append(f"exposure ({wanted})")
    if cfg.gain is not None and not _holds(capture, cv2.CAP_PROP_GAIN, cfg.gain):
        missed.append(f"gain ({cfg.gain:g})")
    if cfg.focus is not None:
        automatic = capture.set(cv2.CAP_PROP_AUTOFOCUS, float(cfg.focus == "auto"))
        if not (automatic if cfg.focus == "auto" else _holds(capture, cv2.CAP_PROP_FOCUS, cfg.focus)):
            missed.append(f"focus ({cfg.focus})")
    return missed


def _expose(capture: Controls, exposure_ms: float | Literal["auto"], system: str) -> bool:
    if system not in _MANUAL_AUTO:  # macOS gives OpenCV no control of it
        return False
    manual, auto = _MANUAL_AUTO[system]
    if exposure_ms == "auto":
        return capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, auto)
    capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, manual)  # a camera without automatic control has no such switch
    # V4L2 counts 100 us, DirectShow powers of two of a second.
    value = exposure_ms * 10.0 if system == "Linux" else float(round(math.log2(exposure_ms / 1000.0)))
    return _holds(capture, cv2.CAP_PROP_EXPOSURE, value)


def _holds(capture: Controls, number: int, value: float) -> bool:
    return capture.set(number, value) and abs(capture.get(number) - value) <= max(0.5, _CLOSE * abs(value))

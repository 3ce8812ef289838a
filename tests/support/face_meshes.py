"""A mesh that stands in for a face, and pictures of real ones on a canvas."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_ANGLES = np.random.default_rng(0).uniform(0, 2 * math.pi, 478)
_RADII = np.sqrt(np.random.default_rng(1).uniform(0, 1, 478))


def mesh(x: float = 200, y: float = 200, width: float = 120, roll_rad: float = 0.0) -> NDArray[np.float32]:
    """(478, 2) points of an upright ellipse, with the four that frame the face where they belong."""
    points = np.stack([np.cos(_ANGLES) * _RADII * 0.5, np.sin(_ANGLES) * _RADII * 0.6], axis=1)
    points[234], points[454], points[10], points[152] = (-0.5, 0), (0.5, 0), (0, -0.6), (0, 0.6)
    cos, sin = math.cos(roll_rad), math.sin(roll_rad)
    return (points @ np.array([[cos, sin], [-sin, cos]]) * width + (x, y)).astype(np.float32)


def on_canvas(
    faces: list[tuple[Path, int, int, int]], width: int = 640, height: int = 480
) -> NDArray[np.uint8]:
    """Paste (file, left, top, side) pictures; parts beyond the canvas are cut off."""
    canvas = np.full((height, width, 3), 90, np.uint8)
    for path, left, top, side in faces:
        picture = cv2.imread(str(path))
        assert picture is not None
        picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        x0, y0, x1, y1 = max(0, left), max(0, top), min(width, left + side), min(height, top + side)
        canvas[y0:y1, x0:x1] = picture[y0 - top : y1 - top, x0 - left : x1 - left]
    return canvas

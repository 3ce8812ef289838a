"""Local binary patterns in a volume of frames: sampling on an ellipse, and the uniform bins."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Offset = tuple[float, float, float]
"""(frames, rows, columns) from the centre."""


@cache
def uniform_bins(points: int) -> NDArray[np.uint8]:
    """2^P codes -> P (P - 1) + 2 uniform bins (at most two changes around the circle) and one for the rest.

    Ojala, Pietikainen, Maenpaa (PAMI 2002). Uniform codes get their bins in the order of the codes.
    """
    table = np.full(2**points, points * (points - 1) + 2, np.uint8)
    bin_ = 0
    for code in range(2**points):
        bits = [(code >> k) & 1 for k in range(points)]
        if sum(bits[k] != bits[k - 1] for k in range(points)) <= 2:
            table[code] = bin_
            bin_ += 1
    return table


def volume(frames: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Frames (T, H, W) uint8 -> (T, size, size) float32, area averages when they shrink.

    Raises:
        ValueError: Not (T, H, W).
    """
    if frames.ndim != 3:
        raise ValueError(f"frames must be (T, H, W), got {frames.shape}: map the array 'frames'")
    wide = frames.astype(np.float32)
    if wide.shape[1:] == (size, size):
        return wide
    way = cv2.INTER_AREA if wide.shape[1] > size else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, (size, size), interpolation=way) for frame in wide])


def codes(
    frames: NDArray[np.float32], offsets: Sequence[Offset], margin: tuple[int, int, int]
) -> NDArray[np.int64]:
    """Bit p of a pixel's code says that its neighbour p is at least as bright as the pixel.

    ========  =================  ===========================================================
    frames    (T, H, W)
    offsets   P neighbours       a position between pixels is interpolated linearly
    margin    (t, y, x)          left out on both sides of each axis; at least every offset
    returns   (T - 2t, H - 2y, W - 2x)
    ========  =================  ===========================================================
    """
    if any(n <= 2 * m for n, m in zip(frames.shape, margin, strict=True)):
        raise ValueError(
            f"clips of {frames.shape} (frames, rows, columns) are too small for radii of {margin}: prepare "
            f"more frames (frames:steps={2 * margin[0] + 1} or more), or take a smaller radius_t"
        )
    centre = _moved(frames, (0.0, 0.0, 0.0), margin)
    result = np.zeros(centre.shape, np.int64)
    for bit, offset in enumerate(offsets):
        result |= (_moved(frames, offset, margin) >= centre).astype(np.int64) << bit
    return result


def circle(points: int, first: float, second: float) -> list[tuple[float, float]]:
    """P positions on the ellipse with these half axes, as scikit-image numbers them: (-sin, cos)."""
    angles = 2 * np.pi * np.arange(points) / points
    # Five digits: 3 sin(pi) must be a whole pixel.
    pairs = zip(np.round(-first * np.sin(angles), 5), np.round(second * np.cos(angles), 5), strict=True)
    return [(float(a), float(b)) for a, b in pairs]


def _moved(frames: NDArray[np.float32], offset: Offset, margin: tuple[int, int, int]) -> NDArray[np.float32]:
    """Cut the inner part, moved by the offset, interpolating axis by axis."""
    part = frames
    for axis, (step, edge) in enumerate(zip(offset, margin, strict=True)):
        low = int(np.floor(step))
        inner = part.shape[axis] - 2 * edge
        start = edge + low
        near = part.take(range(start, start + inner), axis)
        if step > low:
            far = part.take(range(start + 1, start + 1 + inner), axis)
            near = near + np.float32(step - low) * (far - near)  # equal neighbours stay exactly equal
        part = near
    return part

"""The geometry of a face crop: landmarks -> one similarity warp -> a gray square."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

CROP_SIZE = 224
MARGIN = 0.05

FOREHEAD, CHIN, RIGHT_EAR, LEFT_EAR = 10, 152, 234, 454
"""Mesh indices; right and left are the subject's own."""


def crop_warp(landmarks: NDArray[np.float32], size: int = CROP_SIZE) -> NDArray[np.float32]:
    """The warp that cuts a face out: upright, square, from the forehead's top to the chin, ear to ear.

    The square's side is the larger of the two extents, with a margin of 5 % at each edge; methods.md's
    sources crop likewise (MADTN, sec. 3: "from the top of the forehead to the chin and ear to ear").

    Convention:
        - Direction: maps frame pixels to crop pixels, ``crop = warp @ (x, y, 1)``, the matrix that
          ``cv2.warpAffine`` takes without ``WARP_INVERSE_MAP``.
        - Order: (x, y), x to the right, y down.
        - Pixel centres are at integers; the square's centre falls on ((size - 1) / 2, (size - 1) / 2).
        - Similarity only: rotation by the ears' line (roll), one scale, a shift; never mirrored.

    Args:
        landmarks: (478, 2) float32 (x, y) frame pixels.
        size: side of the crop, pixels.

    Returns:
        (2, 3) float32.

    Raises:
        ValueError: wrong shape, or all points in one place.
    """
    if landmarks.ndim != 2 or landmarks.shape[0] <= LEFT_EAR or landmarks.shape[1] != 2:
        raise ValueError(f"landmarks must be (478, 2), got {landmarks.shape}")
    points = landmarks[[FOREHEAD, CHIN, RIGHT_EAR, LEFT_EAR]].astype(np.float64)
    right = points[3] - points[2]
    length = math.hypot(*right)
    if length == 0 or not np.isfinite(points).all():
        raise ValueError("landmarks are degenerate: both ears lie in one place")
    cos, sin = right / length
    rotation = np.array([[cos, sin], [-sin, cos]])
    upright = points @ rotation.T  # (4, 2), ears level
    low, high = upright.min(axis=0), upright.max(axis=0)
    side = float((high - low).max()) * (1 + 2 * MARGIN)
    linear = rotation * (size / side)
    shift = (size - 1) / 2 - (low + high) / 2 * (size / side)
    return np.column_stack([linear, shift]).astype(np.float32)


def warp_points(warp: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map (N, 2) frame points to (N, 2) crop points."""
    return np.asarray(points @ warp[:, :2].T + warp[:, 2], np.float32)


class Cropper:
    """One warp made ready for frames of one size; keeps scratch memory, so one per thread.

    Only the part of the frame under the square is turned gray. A face more than twice the crop's size is
    first averaged down by a whole factor: the two by two pixels that the warp reads would alias.
    Beyond the frame's edge its last pixel is repeated.
    """

    def __init__(self, warp: NDArray[np.float32], height: int, width: int, size: int = CROP_SIZE) -> None:
        self.size = size
        self.frame_shape = (height, width, 3)
        linear, shift = warp[:, :2].astype(np.float64), warp[:, 2].astype(np.float64)
        scale = math.sqrt(abs(float(np.linalg.det(linear))))
        if not scale > 0:
            raise ValueError(f"the warp has no inverse: {warp.tolist()}")
        self._factor = factor = max(1, min(int(1 / scale + 1e-6), height, width))
        edge = np.array([[-1, -1], [size, -1], [-1, size], [size, size]], np.float64)
        corners = (edge - shift) @ np.linalg.inv(linear).T
        (x0, x1), (y0, y1) = (
            _span(corners[:, axis], extent, factor) for axis, extent in ((0, width), (1, height))
        )
        self._roi = (slice(y0, y1), slice(x0, x1))
        # Pixel i of the averaged ROI has its centre at x0 + factor * i + (factor - 1) / 2 of the frame.
        origin = np.array([x0, y0]) + (factor - 1) / 2
        self._warp = np.column_stack([linear * factor, shift + linear @ origin])
        height, width = (y1 - y0) // factor, (x1 - x0) // factor
        self._small = np.empty((height, width, 3), np.uint8)
        self._gray = np.empty((height, width), np.uint8)

    def apply(self, image_bgr: NDArray[np.uint8], out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Crop one (H, W, 3) BGR frame into ``out`` (S, S), which the caller owns; a new array without it."""
        if image_bgr.shape != self.frame_shape:
            raise ValueError(f"this crop is for frames of {self.frame_shape}, got {image_bgr.shape}")
        if out is None:
            out = np.empty((self.size, self.size), np.uint8)
        elif out.shape != (self.size, self.size) or out.dtype != np.uint8 or not out.flags.c_contiguous:
            raise ValueError(f"out must be ({self.size}, {self.size}) contiguous uint8, got {out.shape}")
        source = image_bgr[self._roi]
        if self._factor > 1:
            height, width = self._gray.shape
            cv2.resize(source, (width, height), dst=self._small, interpolation=cv2.INTER_AREA)
            source = self._small
        cv2.cvtColor(source, cv2.COLOR_BGR2GRAY, dst=self._gray)
        cv2.warpAffine(
            self._gray,
            self._warp,
            (self.size, self.size),
            dst=out,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return out


def _span(corners: NDArray[np.float64], extent: int, factor: int) -> tuple[int, int]:
    """First and last + 1 frame pixel that the crop needs on one axis: a multiple of ``factor`` many."""
    pad = 2 * factor
    first = min(max(0, math.floor(corners.min()) - pad), max(0, extent - factor))
    last = max(min(extent, math.ceil(corners.max()) + pad), first + factor)
    return first, first + (last - first) // factor * factor

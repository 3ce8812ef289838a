"""The ADM feature of ATNet: per flow field, mean direction and magnitude in an 8x8 grid of cells.

Convention: a row holds the cells row by row from the top left, each as (angle, magnitude): ``row[2 * c]``
is the direction of cell ``c`` in radians within (-pi, pi], 0 to the right and positive **down** as in
``representation.flow``; ``row[2 * c + 1]`` its mean magnitude in px. A flow of zero gives a row of zeros.
"""

from __future__ import annotations

import threading
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.flow import Flow
from mer_live.engines.representation.light import lit_like
from mer_live.engines.representation.motion_image import resize_gray
from mer_live.engines.representation.specs import GRID, ROW, STEPS, Direction

HALF = STEPS // 2


class _Scratch(threading.local):
    """Work arrays per thread: fresh ones of this size would be mapped and faulted in on every frame."""

    def __init__(self) -> None:
        self.planes: list[NDArray[np.float32]] = []
        self.cell = np.empty((GRID, GRID), np.float32)
        self.mean = np.empty((GRID, GRID, 2), np.float32)

    def fit(self, shape: tuple[int, ...]) -> list[NDArray[np.float32]]:
        if not self.planes or self.planes[0].shape != shape:
            self.planes = [np.empty(shape, np.float32) for _ in range(3)]
        return self.planes


_scratch = _Scratch()


def adm_row(
    flow: NDArray[np.float32],
    out: NDArray[np.float32] | None = None,
    direction: Direction = "circular",
    scale: float = 1.0,
) -> NDArray[np.float32]:
    """One step of the ADM feature (Peng et al., ATNet, ACII 2019, eqs. 5-6).

    ============  ====================  ==============================================
    flow          (F, F, 2) float32     px, contiguous; F = 224 in the paper
    out           (128,) float32        written and returned; None: a new array
    scale         float                 magnitudes are multiplied by it: S / F turns px of
                                        the flow's picture into px of the crop
    returns       (128,) float32        see the module's convention
    ============  ====================  ==============================================

    ``direction="circular"`` (default, a deviation): the direction of the cell's mean flow vector, which
    is the circular mean of the angles weighted by magnitude; pixels that do not move have no say.
    ``"as_published"``: the arithmetic mean of the angles (eq. 6), which puts a cell that moves left,
    half at +3.1 and half at -3.1 rad, at 0, the opposite direction.
    """
    if flow.ndim != 3 or flow.shape[2] != 2 or flow.dtype != np.float32:
        raise ValueError(f"flow must be (F, F, 2) float32, got {flow.shape} {flow.dtype}")
    if out is None:
        out = np.empty(ROW, np.float32)
    elif out.shape != (ROW,):
        raise ValueError(f"out must be ({ROW},), got {out.shape}")
    x, y, magnitude = _scratch.fit(flow.shape[:2])
    cell, mean = _scratch.cell, _scratch.mean
    cv2.split(flow, [x, y])
    cv2.magnitude(x, y, magnitude)
    # (S, S) -> (8, 8): area interpolation is the mean over each cell.
    cv2.resize(magnitude, (GRID, GRID), cell, interpolation=cv2.INTER_AREA)
    angles = out[0::2].reshape(GRID, GRID)
    if direction == "circular":
        cv2.resize(flow, (GRID, GRID), mean, interpolation=cv2.INTER_AREA)
        mean += 0.0  # -0.0 becomes 0.0: atan2 of a negative zero would be pi or -pi
        angles[...] = np.arctan2(mean[..., 1], mean[..., 0])
    elif direction == "as_published":
        x += 0.0
        y += 0.0
        angles[...] = cv2.resize(np.arctan2(y, x), (GRID, GRID), interpolation=cv2.INTER_AREA)
    else:
        raise ValueError(f"direction {direction!r} is unknown; take 'circular' or 'as_published'")
    np.multiply(cell.reshape(-1), scale, out=out[1::2])
    return out


def adm_rows(
    gray: NDArray[np.uint8],
    flow: Flow,
    direction: Direction = "circular",
    first: int = 1,
    flow_px: int | None = None,
) -> NDArray[np.float32]:
    """ADM rows of a clip: (T, S, S) uint8 -> (T, 128); row k is of gray[k-1] -> gray[k].

    The flow is taken on crops shrunk to ``flow_px`` (None: S), magnitudes are in px of S all the same; where light
    flickers, a crop is brought to the brightness of the one before. Rows before ``first`` (at least row 0) are zero
    and cost nothing.
    """
    rows = np.zeros((len(gray), ROW), np.float32)
    side = gray.shape[-1]
    flow_px = flow_px or side
    first = max(first, 1)
    small = [resize_gray(image, flow_px) for image in gray[first - 1 :]]
    for k, (before, after) in enumerate(pairwise(small), first):
        adm_row(flow(before, lit_like(after, before)), rows[k], direction, side / flow_px)
    return rows


def window_bounds(onset: int, apex: int, last: int) -> tuple[int, int]:
    """First row and one past the last row that the window around the apex takes from a clip."""
    return max(apex - HALF + 1, onset + 1), min(apex + HALF, last) + 1


def adm_window(rows: NDArray[np.float32], onset: int, apex: int, last: int) -> NDArray[np.float32]:
    """Rows (T, 128) of a clip -> the network's (64, 128).

    65 frames with the apex at index 32, so 64 flows, zero outside onset..last; then, as in the authors'
    loader, all-zero rows are dropped and the rest packed to the right. So a window that ends at the
    apex (``last = apex``) is as legitimate an input as the full one.
    """
    start, stop = window_bounds(onset, apex, last)
    taken = rows[start:stop]
    taken = taken[taken.any(axis=1)]
    window = np.zeros((STEPS, ROW), np.float32)
    if len(taken):
        window[-len(taken) :] = taken
    return window


def mirror_adm(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows (..., 128) with ``direction="circular"`` -> the rows of the left-right mirrored clip.

    Cells are swapped left-right and the horizontal component negated (angle -> pi - angle). There is no
    such function for ``"as_published"``: the arithmetic mean of wrapped angles does not mirror.
    """
    cells = rows.reshape(*rows.shape[:-1], GRID, GRID, 2)[..., ::-1, :]
    out = np.array(cells, dtype=np.float32)
    angle, magnitude = cells[..., 0], cells[..., 1]
    turned = np.where(angle > 0, np.pi - angle, -np.pi - angle)
    turned = np.where(angle == 0, np.pi, turned)
    out[..., 0] = np.where(magnitude > 0, turned, 0.0)
    return out.reshape(rows.shape)

"""Movement of the head, fitted to a flow as a similarity: what is left is what the face does."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.specs import FlowConfig

REGISTRATION = FlowConfig(preset="ultrafast")
"""Flow by which frames are laid over each other: a fit to hundreds of cells needs no finer one."""
_CELLS = 28
_FACE = (0.8, 0.95)
"""Half axes of the ellipse that the head is fitted in, in half sides of the crop; what is beside it stands still."""
ROUNDS = 5


_AXIS = (np.arange(_CELLS) + 0.5) * 2 / _CELLS - 1
INSIDE = np.hypot(_AXIS[None, :] / _FACE[0], _AXIS[:, None] / _FACE[1]) < 1
"""(28, 28): the cells that lie in it."""
PLACES = np.stack(np.meshgrid(_AXIS, _AXIS))[:, INSIDE]
"""(2, K): x and y of their centres, from -1 to 1 across the picture."""
_PLACE = PLACES[0] + 1j * PLACES[1]
_SUMS = np.stack([np.ones(len(_PLACE)), *PLACES, (PLACES**2).sum(0)], 1)
_ALONG = np.stack([np.ones(len(_PLACE)), _PLACE.conj()], 1)


def head_motion(*flows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Similarity in flows: N times (F, F, 2) px -> (N, 4) shift x and y, growth and turn, px.

    ``dx = a + c x - d y`` and ``dy = b + d x + c y`` with x and y as of `PLACES`; in complex numbers, x and y one of
    them, ``shift + turn * place``. Least squares on the means of 28 x 28 cells, reweighted by Cauchy's function at the
    median residual: brows and lips that move by themselves have little say. Several flows at once cost little more
    than one, and give the same bits.
    """
    cells = [cv2.resize(flow, INSIDE.shape, interpolation=cv2.INTER_AREA)[INSIDE] for flow in flows]
    moved = np.array(cells, np.float64).view(np.complex128)[..., 0]  # (N, K)
    middle = moved.shape[1] // 2
    weight = np.ones(moved.shape)
    for _ in range(ROUNDS):
        n, x, y, square = (weight[:, None] @ _SUMS)[:, 0].T  # (N,) each
        flow, along = ((weight * moved)[:, None] @ _ALONG)[:, 0].T
        place = x + 1j * y
        turn = (n * along - flow * place.conj()) / (n * square - x * x - y * y)
        shift = (flow - turn * place) / n
        left = moved - shift[:, None] - turn[:, None] * _PLACE
        away = left.real**2 + left.imag**2  # px^2; K is even, so its median lies between two
        between = np.sqrt(np.partition(away, (middle - 1, middle))[:, middle - 1 : middle + 1]).mean(1)
        weight = 1.0 / (1.0 + away / np.maximum(between, 1e-3)[:, None] ** 2)
    return np.stack([shift.real, shift.imag, turn.real, turn.imag], 1)


def without_head(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """The flow (F, F, 2) less the head's part; a new array."""
    a, b, c, d = head_motion(flow)[0]
    axis = (np.arange(len(flow)) + 0.5) * 2 / len(flow) - 1
    x, y = axis[None, :], axis[:, None]
    left = np.empty_like(flow)
    np.subtract(flow[..., 0], (a + c * x - d * y).astype(np.float32), left[..., 0])
    np.subtract(flow[..., 1], (b + d * x + c * y).astype(np.float32), left[..., 1])
    return left


def steadied(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames (T, S, S) with the head where it is in the first one; the border is repeated outwards."""
    flow, first, side = make_flow(REGISTRATION), images[0], images.shape[-1]
    middle, out = (side - 1) / 2, images.copy()
    fields = np.empty((len(images) - 1, side, side, 2), np.float32)
    for image, field in zip(images[1:], fields, strict=True):
        flow(first, image, field)
    motions = head_motion(*fields) * (1.0, 1.0, 2 / side, 2 / side)
    for k, (image, (a, b, c, d)) in enumerate(zip(images[1:], motions, strict=True), 1):
        # A pixel at (x, y) of the first frame is at (x, y) + flow in this one.
        seen = np.array([[1 + c, -d, a - (c - d) * middle], [d, 1 + c, b - (c + d) * middle]])
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(image, seen, (side, side), out[k], how, cv2.BORDER_REPLICATE)
    return out

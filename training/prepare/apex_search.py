"""The published, offline apex search for cut clips: LBP histograms of three regions against the first frame.

Zhou, Mao and Xue, SA-AT (2019), Algorithm 1 and eq. (1); the divide-and-conquer variant is that of Liong et
al. (ACPR 2015). Live, ``realtime.spotter.spotter`` does this causally; this is for databases without an apex.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.motion.regions import CANONICAL, POINTS
from mer_live.training.methods.features.lbp_codes import uniform_bins

Search = Literal["exhaustive", "divide"]

_EYE_RIGHT = (107, 55, 70, 46, 63, 33, 133, 145, 159, 230)
_EYE_LEFT = (336, 285, 300, 276, 293, 263, 362, 374, 386, 450)
_MOUTH = (61, 291, 0, 17, 164, 18, 212, 432)
_GROWN = 0.15
"""Each region is the box about its points, grown by this part of its size on every side."""


_TABLE = uniform_bins(8)
_RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


def lbp(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Uniform local binary patterns, 8 neighbours at radius 1: (H, W) -> (H - 2, W - 2) bins 0..58.

    Ojala, Pietikainen, Maenpaa (PAMI 2002); neighbours are taken at whole pixels.
    """
    height, width = gray.shape
    centre = gray[1:-1, 1:-1]
    code = np.zeros(centre.shape, np.uint8)
    for k, (dy, dx) in enumerate(_RING):
        code |= (gray[1 + dy : height - 1 + dy, 1 + dx : width - 1 + dx] >= centre).astype(np.uint8) << k
    return _TABLE[code]


def regions_of(landmarks: NDArray[np.float32] | None, size: int) -> list[tuple[slice, slice]]:
    """Boxes (rows, columns) of the two eyes with their brows and of the mouth.

    Args:
        landmarks: (478, 2) crop px; None takes the mean face of the crop.
        size: S, side of the crop, pixels.
    """
    boxes = []
    for ids in (_EYE_RIGHT, _EYE_LEFT, _MOUTH):
        mean = CANONICAL[np.isin(POINTS, ids)] * (size / 224)
        points = mean if landmarks is None else landmarks[list(ids)]
        low, high = points.min(0), points.max(0)
        grow = _GROWN * (high - low).max()
        x0, y0 = np.clip(np.floor(low - grow), 0, size - 4).astype(int)
        x1, y1 = np.clip(np.ceil(high + grow), 4, size).astype(int)
        boxes.append((slice(int(y0), int(y1)), slice(int(x0), int(x1))))
    return boxes


def distances(gray: NDArray[np.uint8], landmarks: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
    """d(i) of eq. (1): 1 - normalised correlation of frame i's LBP histograms with the first frame's.

    The printed denominator's ``h_1j^i`` is read as ``h_1j^2``. The three regions' histograms are joined, each
    divided by its pixel count. Deviation: the regions stay where they are in the first frame, since the crop
    already holds still; the paper detects 68 landmarks in every frame.

    ============  =============  =================================================
    gray          (T, S, S) u8   one crop for all frames, the first at rest
    landmarks     (478, 2)       crop px, of the first frame; None: the mean face
    returns       (T,)           0 for the first frame
    ============  =============  =================================================
    """
    if gray.ndim != 3 or gray.dtype != np.uint8 or not len(gray):
        raise ValueError(f"gray must be (T, S, S) uint8 not empty, got {gray.shape} {gray.dtype}")
    boxes = regions_of(landmarks, gray.shape[-1])
    histograms = np.zeros((len(gray), len(boxes), 59))
    for t, frame in enumerate(gray):
        for k, box in enumerate(boxes):
            bins = lbp(frame[box])
            histograms[t, k] = np.bincount(bins.ravel(), minlength=59) / bins.size
    h = histograms.reshape(len(gray), -1)
    norm = np.sqrt((h[0] @ h[0]) * np.einsum("tj,tj->t", h, h))
    return np.asarray(1.0 - (h @ h[0]) / np.maximum(norm, 1e-12))


def divide_and_conquer(d: NDArray[np.float64]) -> int:
    """Liong et al. (2015): halve the sequence again and again, keeping the half whose peaks sum to more."""
    padded = np.concatenate([[-np.inf], d, [-np.inf]])
    peaks = np.flatnonzero((d >= padded[:-2]) & (d > padded[2:]))
    low, high = 0, len(d)
    while len(inside := peaks[(peaks >= low) & (peaks < high)]) > 1 and high - low > 1:
        middle = (low + high) // 2
        left, right = d[inside[inside < middle]].sum(), d[inside[inside >= middle]].sum()
        low, high = (low, middle) if left > right else (middle, high)
    return int(inside[np.argmax(d[inside])]) if len(inside) else int(np.argmax(d))


def find_apex(
    gray: NDArray[np.uint8], landmarks: NDArray[np.float32] | None = None, search: Search = "exhaustive"
) -> int:
    """Index of the apex in a cut clip that begins at the onset.

    Args:
        gray: (T, S, S) uint8 crops that share one warp.
        landmarks: (478, 2) crop px of the first frame, or None for the mean face.
        search: "exhaustive" is SA-AT's Algorithm 1, "divide" Liong's divide and conquer.
    """
    if search not in ("exhaustive", "divide"):
        raise ValueError(f"search must be 'exhaustive' or 'divide', got {search!r}")
    d = distances(gray, landmarks)
    return divide_and_conquer(d) if search == "divide" else int(np.argmax(d))

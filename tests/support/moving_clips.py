"""Small clips with known motion, made in the test."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.clip import Clip


def texture(seed: int = 0, size: int = 224) -> NDArray[np.uint8]:
    """Smooth random texture with detail at several scales, as skin has."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size, size))
    for sigma in (1.5, 4.0, 12.0):
        layer = cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), sigma)
        total += layer / layer.std()
    return np.clip(128 + 30 * total, 0, 255).astype(np.uint8)


def shifted(image: NDArray[np.uint8], dx: float, dy: float) -> NDArray[np.uint8]:
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float64)
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def moving_clip(
    dx: float,
    dy: float,
    *,
    onset: int = 3,
    apex: int = 12,
    offset: int | None = 21,
    length: int = 24,
    seed: int = 0,
) -> Clip:
    """Raised-cosine shift of a texture: none at the onset, (dx, dy) at the apex, none at the offset."""
    image, end = texture(seed), 21 if offset is None else offset
    k = np.arange(length)
    rise = np.clip((k - onset) / max(apex - onset, 1), 0, 1) * (k <= apex)
    fall = np.clip((end - k) / max(end - apex, 1), 0, 1) * (k > apex)
    amount = 0.5 - 0.5 * np.cos(np.pi * (rise + fall))
    gray = np.stack([shifted(image, dx * a, dy * a) for a in amount])
    return Clip(gray=gray, t_ns=k.astype(np.int64) * 5_000_000, onset=onset, apex=apex, offset=offset)

"""Small changes of training images that a recogniser must not notice."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def shake(images: NDArray[Any], rng: np.random.Generator, degrees: float, shift: float) -> NDArray[Any]:
    """Turn, scale and shift each image a little, its border repeated.

    ========  ============================================================================
    images    (N, S, S) or (N, S, S, C <= 4), or sequences (N, T, S, S), whose frames move alike
    degrees   largest rotation
    shift     largest shift along each axis, px
    returns   the same shape and dtype
    ========  ============================================================================
    """
    sequences = images if images.ndim == 4 and images.shape[-1] > 4 else images[:, None]
    out = np.empty_like(sequences)
    side = sequences.shape[2]
    for k, frames in enumerate(sequences):
        turn = cv2.getRotationMatrix2D(
            ((side - 1) / 2, (side - 1) / 2),
            rng.uniform(-degrees, degrees),
            float(np.exp(rng.normal(0, 0.04))),
        )
        turn[:, 2] += rng.uniform(-shift, shift, 2)
        for t, frame in enumerate(frames):
            source = np.ascontiguousarray(frame)
            out[k, t] = cv2.warpAffine(source, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(images.shape)

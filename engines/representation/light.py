"""Light that flickers: crops that are compared with one another are brought to one brightness."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

STEADY = 0.04
"""Relative difference in brightness that is left alone: what exposure, sway and noise make of steady light."""


def lit_like(gray: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A crop under the light of another: (S, S) uint8, scaled to the reference's mean.

    Mains light is brighter and darker a hundred times a second, so two single frames may differ by a third, and
    flow takes that for movement. The same array where the two differ by less than ``STEADY``, so that
    clips in steady light, those of training among them, are seen as they are.
    """
    own, wanted = cv2.mean(gray)[0], cv2.mean(reference)[0]
    if abs(own - wanted) <= STEADY * wanted or own < 1.0:
        return gray
    return np.asarray(cv2.convertScaleAbs(gray, alpha=wanted / own), np.uint8)

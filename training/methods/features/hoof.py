"""HOOF (Chaudhry, Ravichandran, Hager, Vidal; CVPR 2009): histograms of oriented optical flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mer_live.training.methods.features.blocks import block_histograms, block_map, normalised


def flow_of(image: NDArray[Any]) -> NDArray[np.float64]:
    """Horizontal flow, vertical flow, strain of a ``flow3`` row, as (H, W, 3) up to one factor each.

    An uint8 image is centred (128 is no motion, engines.representation); its scale is left, since both
    features here are of ratios.

    Raises:
        ValueError: Not (H, W, 3).
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a flow image must be (H, W, 3), got {image.shape}: map the array 'flow3'")
    result = image.astype(np.float64)
    if image.dtype == np.uint8:
        result[..., :2] -= 128
    return result


@dataclass(frozen=True, slots=True)
class Hoof:
    """Magnitude-weighted histogram of the flow's angle, onset to apex, of sum 1 in every block.

    The paper has one histogram a frame and 30 bins; a grid and 8 bins are what micro-expression work uses.
    """

    name: ClassVar[str] = "hoof"
    input: ClassVar[str] = "flow"
    bins: int = 8
    symmetric: bool = True
    """As published: angle from the horizontal axis, -pi/2 .. pi/2, the same for a movement and its
    mirror image. False: the full circle."""
    grid: int = 5

    def vector(self, clip: NDArray[Any]) -> NDArray[np.float64]:
        """Flow image (H, W, 3) -> (grid^2 * bins,)."""
        u, v, _ = np.moveaxis(flow_of(clip), 2, 0)
        angle = np.arctan2(v, np.abs(u)) * 2 if self.symmetric else np.arctan2(v, u)  # -pi .. pi
        blocks = block_map(u.shape[0], u.shape[1], self.grid)
        shape = (self.grid**2, self.bins)
        return normalised(
            block_histograms(blocks, angle_bins(angle, self.bins), np.hypot(u, v), shape)
        ).ravel()


def angle_bins(angle: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Angles -pi .. pi -> bins of equal width; the last one holds its upper end."""
    found = np.floor((angle + np.pi) / (2 * np.pi) * bins).astype(np.int64)
    return np.minimum(found, bins - 1)

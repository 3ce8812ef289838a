"""STLBP-IP (Huang, Wang, Zhao, Pietikainen; ICCVW 2015): binary patterns on projections of difference images."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mer_live.training.methods.features.blocks import normalised
from mer_live.training.methods.features.lbp_codes import circle, codes, uniform_bins, volume
from mer_live.training.methods.features.tim import tim


@dataclass(frozen=True, slots=True)
class IntegralProjection:
    """Rows and columns of each block are summed up; patterns along a sum say where, over its course in time when.

    From the abstract and later papers of the authors; theirs was not at hand. So these are ours: differences are
    taken from the first frame, pictures are divided into a grid, and the patterns in time lie on an ellipse.
    """

    name: ClassVar[str] = "stlbp-ip"
    input: ClassVar[str] = "frames"
    reach: int = 4
    """Neighbours on each side of a value, along a projection."""
    points: int = 8
    radius: int = 3
    """Along a projection, of the patterns in time."""
    radius_t: int = 1
    """Frames."""
    grid: int = 4
    size: int = 112
    tim: int = 0
    """Frames that the clip is interpolated to; 0: as they are."""

    def vector(self, clip: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Frames (T, H, W) -> (grid^2 * 2 * (2^(2 reach) + bins),), each histogram of sum 1.

        Raises:
            ValueError: Fewer frames than 2 ``radius_t`` + 2, or blocks that are too small.
        """
        frames = tim(volume(clip, self.size), self.tim)
        moved = np.abs(frames[1:] - frames[0])
        edges = np.arange(self.grid + 1) * self.size // self.grid
        steps = [(0.0, 0.0, float(k)) for k in range(-self.reach, self.reach + 1) if k]
        around = [(a, 0.0, b) for a, b in circle(self.points, self.radius_t, self.radius)]
        table = uniform_bins(self.points)
        parts = []
        for top, bottom in pairwise(edges):
            for left, right in pairwise(edges):
                block = moved[:, top:bottom, left:right]
                for axis in (1, 2):
                    course = block.mean(axis)[:, None]  # (T - 1, 1, n)
                    where = codes(course, steps, (0, 0, self.reach))
                    when = table[codes(course, around, (self.radius_t, 0, self.radius))]
                    parts += [_histogram(where, 2 ** len(steps)), _histogram(when, int(table.max()) + 1)]
        return np.concatenate(parts)


def _histogram(found: NDArray[np.integer], bins: int) -> NDArray[np.float64]:
    return normalised(np.bincount(found.ravel(), minlength=bins).astype(np.float64))

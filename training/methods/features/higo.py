"""HIGO-TOP (Li, Hong, Moilanen, Huang, Pfister, Zhao, Pietikainen; TAC 2018): which way gradients point, each once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mer_live.training.methods.features.blocks import block_histograms, block_map, normalised
from mer_live.training.methods.features.hoof import angle_bins
from mer_live.training.methods.features.lbp_codes import volume
from mer_live.training.methods.features.tim import tim


@dataclass(frozen=True, slots=True)
class Higo:
    """Histograms of image gradient orientation on the planes XY, XT and YT; HOG with a vote of one for each pixel.

    Deviations: motion is not magnified first, blocks are not divided in time, and a pixel without any gradient does
    not vote.
    """

    name: ClassVar[str] = "higo"
    input: ClassVar[str] = "frames"
    bins: int = 8
    """Over the full circle."""
    grid: int = 6
    size: int = 112
    tim: int = 0
    """Frames that the clip is interpolated to; 0: as they are."""

    def vector(self, clip: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Frames (T, H, W) -> (grid^2 * 3 * bins,), each histogram of sum 1."""
        t, y, x = (np.asarray(g, np.float64) for g in np.gradient(tim(volume(clip, self.size), self.tim)))
        blocks = np.broadcast_to(block_map(self.size, self.size, self.grid), x.shape)
        parts = []
        for across, along in ((x, y), (x, t), (y, t)):
            votes = ((across != 0) | (along != 0)).astype(np.float64)
            where = angle_bins(np.arctan2(along, across), self.bins)
            parts.append(normalised(block_histograms(blocks, where, votes, (self.grid**2, self.bins))))
        return np.stack(parts, 1).ravel()

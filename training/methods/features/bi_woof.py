"""Bi-WOOF (Liong, See, Wong, Phan; SPIC 2018): flow weighs the bins of a block, strain weighs the blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mer_live.training.methods.features.blocks import block_histograms, block_map
from mer_live.training.methods.features.hoof import angle_bins, flow_of


@dataclass(frozen=True, slots=True)
class BiWoof:
    """Bi-weighted oriented optical flow between onset and apex, 8 bins over the full circle as published."""

    name: ClassVar[str] = "bi-woof"
    input: ClassVar[str] = "flow"
    bins: int = 8
    grid: int = 6
    """The paper takes 5 to 8, by database."""

    def vector(self, clip: NDArray[Any]) -> NDArray[np.float64]:
        """Flow image (H, W, 3) -> (grid^2 * bins,).

        Local weight: a pixel adds its magnitude to the bin of its angle. Global weight: the block's histogram is
        multiplied by the block's mean optical strain. Deviation: the whole vector is divided by its sum, so that
        a clip's strength, which the spotter knows, does not decide its class.
        """
        u, v, strain = np.moveaxis(flow_of(clip), 2, 0)
        blocks = block_map(u.shape[0], u.shape[1], self.grid)
        count = self.grid**2
        local = block_histograms(
            blocks, angle_bins(np.arctan2(v, u), self.bins), np.hypot(u, v), (count, self.bins)
        )
        pixels = np.bincount(blocks.ravel(), minlength=count)
        weight = np.bincount(blocks.ravel(), strain.ravel(), minlength=count) / pixels
        weighted = local / pixels[:, None] * weight[:, None]
        return np.asarray(weighted / max(float(weighted.sum()), 1e-12)).ravel()

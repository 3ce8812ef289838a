"""LBP-SIP (Wang, See, Phan, Oh; ACCV 2014): only the six points where the three planes' lines cross."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mer_live.training.methods.features.blocks import block_histograms, block_map, normalised
from mer_live.training.methods.features.lbp_codes import codes, volume


@dataclass(frozen=True, slots=True)
class LbpSip:
    """Left, right, above, below, before and after: LBP-TOP with four points repeats each of them.

    Deviation: the Gaussian pyramid that the paper offers on top is left out.
    """

    name: ClassVar[str] = "lbp-sip"
    input: ClassVar[str] = "frames"
    radius: int = 1
    """Pixels at ``size``."""
    radius_t: int = 2
    """Frames."""
    joint: bool = False
    """One histogram of the six-bit code (64 bins) instead of one of the four points in the frame and one of the
    two in time (16 + 4 bins)."""
    grid: int = 5
    size: int = 112

    def vector(self, clip: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Frames (T, H, W) -> (grid^2 * 20,), or (grid^2 * 64,) when ``joint``; each histogram of sum 1."""
        frames = volume(clip, self.size)
        r, t = self.radius, self.radius_t
        space = [(0.0, 0.0, float(r)), (0.0, -float(r), 0.0), (0.0, 0.0, -float(r)), (0.0, float(r), 0.0)]
        time = [(-float(t), 0.0, 0.0), (float(t), 0.0, 0.0)]
        groups = [space + time] if self.joint else [space, time]
        blocks = block_map(self.size, self.size, self.grid)[None, r:-r, r:-r]
        parts = []
        for offsets in groups:
            found = codes(frames, offsets, (t, r, r))
            where = np.broadcast_to(blocks, found.shape)
            parts.append(normalised(block_histograms(where, found, None, (self.grid**2, 2 ** len(offsets)))))
        return np.concatenate(parts, 1).ravel()

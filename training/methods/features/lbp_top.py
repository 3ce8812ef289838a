"""LBP-TOP (Zhao, Pietikainen; PAMI 2007): binary patterns on three orthogonal planes, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mer_live.training.methods.features.blocks import block_histograms, block_map, normalised
from mer_live.training.methods.features.lbp_codes import circle, codes, uniform_bins, volume
from mer_live.training.methods.features.tim import tim

_GRIDS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class LbpTop:
    """LBP-TOP_{P,P,P,R,R,Rt}, uniform patterns; by default CDMER's P = 8 and R = 3.

    MEGC 2019's baseline is ``points=4,radius=1,radius_t=4`` on ten frames (``frames:steps=10``). CDMER joins
    grids of 1, 2, 4 and 8 (``multi=true``); one grid keeps the vector short.
    """

    name: ClassVar[str] = "lbp-top"
    input: ClassVar[str] = "frames"
    points: int = 8
    """Neighbours in each plane."""
    radius: int = 3
    """Pixels at ``size``, along rows and columns."""
    radius_t: int = 3
    """Frames."""
    grid: int = 5
    """Blocks along each side of the face."""
    multi: bool = False
    """Instead of ``grid``: those of CDMER side by side, 85 blocks."""
    size: int = 112
    """Side that the frames are resized to."""
    tim: int = 0
    """Frames that the clip is interpolated to; 0: as they are."""

    def vector(self, clip: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Frames (T, H, W) -> (blocks * 3 * bins,): per block the XY, XT and YT histograms, each of sum 1.

        All three planes are taken around the same centres, those with the whole ellipse inside the clip. In
        the planes with time the sampling is the ellipse of the paper, which scikit-image's LBP, a circle in one
        image, does not have; on a circle the codes are its codes.
        """
        frames = tim(volume(clip, self.size), self.tim)
        r, t = self.radius, self.radius_t
        space, time = circle(self.points, r, r), circle(self.points, t, r)
        planes = (
            [(0.0, a, b) for a, b in space],
            [(a, 0.0, b) for a, b in time],  # XT
            [(a, b, 0.0) for a, b in time],  # YT
        )
        table = uniform_bins(self.points)
        found = [table[codes(frames, offsets, (t, r, r))] for offsets in planes]
        parts = []
        for grid in _GRIDS if self.multi else (self.grid,):
            blocks = block_map(self.size, self.size, grid)[None, r:-r, r:-r]
            where, shape = np.broadcast_to(blocks, found[0].shape), (grid**2, int(table.max()) + 1)
            planes_of = [normalised(block_histograms(where, one, None, shape)) for one in found]
            parts.append(np.stack(planes_of, 1).ravel())  # (blocks, 3, bins)
        return np.concatenate(parts)

"""Histograms of the flow from each frame to the next: HOOF over a clip, and FHOFO."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.specs import FlowConfig
from mer_live.training.methods.features.blocks import block_histograms, block_map, normalised
from mer_live.training.methods.features.hoof import angle_bins
from mer_live.training.methods.features.lbp_codes import volume
from mer_live.training.methods.features.tim import tim

_LEAST_PX = 0.01
"""What moves less points nowhere."""


def flows(clip: NDArray[np.uint8], size: int, count: int) -> Iterator[tuple[NDArray[np.float64], ...]]:
    """Angle and magnitude, both (size, size), of the Farneback flow between each two neighbours of ``count`` frames."""
    flow = make_flow(FlowConfig(method="farneback"))
    frames = np.clip(np.rint(tim(volume(clip, size), count)), 0, 255).astype(np.uint8)
    for before, after in pairwise(frames):
        u, v = np.moveaxis(flow(before, after).astype(np.float64), 2, 0)
        yield np.arctan2(v, u), np.hypot(u, v)


@dataclass(frozen=True, slots=True)
class HoofFrames:
    """HOOF frame by frame, as ATNet's baseline has it (N = 4 or 8 bins, TIM = 10 or 64), one after the other."""

    name: ClassVar[str] = "hoof-frames"
    input: ClassVar[str] = "frames"
    bins: int = 8
    """Over the full circle."""
    grid: int = 5
    size: int = 112
    tim: int = 10
    """Frames that the clip is interpolated to; 0: as they are."""

    def vector(self, clip: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Frames (T, H, W) -> ((tim - 1) * grid^2 * bins,), each histogram of sum 1."""
        blocks, shape = block_map(self.size, self.size, self.grid), (self.grid**2, self.bins)
        return np.concatenate(
            [
                normalised(block_histograms(blocks, angle_bins(angle, self.bins), length, shape)).ravel()
                for angle, length in flows(clip, self.size, self.tim)
            ]
        )


@dataclass(frozen=True, slots=True)
class Fhofo:
    """Fuzzy histograms of optical flow orientations (Happy, Routray; TAC 2017): an angle counts, its strength not.

    From the abstract; the paper was not at hand. So these are ours: a grid for its regions of the face, and that an
    angle belongs to its two nearest bins, to each the more the nearer it lies.
    """

    name: ClassVar[str] = "fhofo"
    input: ClassVar[str] = "frames"
    bins: int = 8
    grid: int = 6
    size: int = 112
    tim: int = 10
    """Frames that the clip is interpolated to; 0: as they are."""

    def vector(self, clip: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Frames (T, H, W) -> ((tim - 1) * grid^2 * bins,), each histogram of sum 1."""
        blocks, shape = block_map(self.size, self.size, self.grid), (self.grid**2, self.bins)
        parts = []
        for angle, length in flows(clip, self.size, self.tim):
            place = (angle + np.pi) / (2 * np.pi) * self.bins - 0.5  # in bins, from the first one's middle
            lower = np.floor(place)
            votes = (length >= _LEAST_PX).astype(np.float64)
            found = sum(
                block_histograms(blocks, (lower + k).astype(np.int64) % self.bins, votes * belongs, shape)
                for k, belongs in ((0, 1 - (place - lower)), (1, place - lower))
            )
            parts.append(normalised(np.asarray(found)).ravel())
        return np.concatenate(parts)

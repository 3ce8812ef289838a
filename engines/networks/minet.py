"""MTM's two-stream network (Xia, Wang; IJCAI 2021, sec. 2.2): MiNet on micro-, MaNet on macro-expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from mer_live.engines.networks.base import Network
from mer_live.engines.networks.residual import resnet18

GRAIN = 16 / 255
"""Unit of difference frames: 16 gray levels, about what a movement of a pixel changes on a face."""


@dataclass(frozen=True, slots=True)
class MinetNetworkConfig:
    """The paper's ResNet-18 in both streams: 22.3 M parameters. It gives neither T nor the frames' size."""

    width: int = 64
    """Channels of the first residual stage; a stream's feature is 8 times as wide."""
    intervals: int = 3
    """s_c: v is the mean of v(s) over the sampling intervals s = 1, 2, ..., 2^(s_c - 1); 1 is the plain mean
    over the frames, the paper's baseline."""
    frames: Literal["gray", "difference"] = "gray"
    """What the temporal stream is given: the frames (paper), or what changed in them since the first one."""
    dropout: float = 0.0
    """On the fused feature; the paper names none."""
    classes: int = 3


def interval_features(frames: Tensor, intervals: int) -> Tensor:
    """Frame features (B, T, F) -> v(s) (B, intervals, F): the mean of every s-th frame from the first on.

    Raises ValueError when the largest interval leaves one frame or none to average.
    """
    if frames.shape[1] < 2**intervals:
        raise ValueError(f"{intervals} sampling intervals need {2**intervals} frames, not {frames.shape[1]}")
    return torch.stack([frames[:, :: 2**k].mean(1) for k in range(intervals)], 1)


class MinetNetwork(Network):
    """Apex frame (B, 1, S, S) raw 0..255 and T frames (B, T, 1, S, S) in 0..1 -> logits (B, C).

    f^A, the spatial feature, is a ResNet-18 on the apex frame; v, the temporal one, is the mean over another
    ResNet-18 on each frame (sec. 2.4: the mean of v(s) over several sampling intervals). z, their
    concatenation, goes into a linear classifier; how the paper fuses them it does not say.
    """

    name: ClassVar[str] = "minet"

    def __init__(self, config: MinetNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.input_names = ("apex", "frames")
        self.spatial = resnet18(1, config.width)
        self.temporal = resnet18(1, config.width)
        self.stream_size = self.spatial.feature_size
        self.feature_size = 2 * self.stream_size
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(self.feature_size, config.classes)

    def streams(self, apex: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs as of ``forward`` -> f^A (B, F) and v(s) (B, s_c, F)."""
        if self.config.frames == "difference":
            frames = (frames - frames[:, :1]) / GRAIN
        each = self.temporal(frames.flatten(0, 1)).reshape(-1, frames.shape[1], self.stream_size)  # (B, T, F)
        return self.spatial(apex / 255), interval_features(each, self.config.intervals)

    def fuse(self, spatial: Tensor, temporal: Tensor) -> Tensor:
        """f^A (B, F) and v(s) (B, s_c, F) -> z (B, 2 F)."""
        return torch.cat([spatial, temporal.mean(1)], 1)

    def features(self, *inputs: Tensor) -> Tensor:
        """Apex frame and frames -> z (B, 2 F)."""
        return self.fuse(*self.streams(*inputs))

    def classify(self, features: Tensor) -> Tensor:
        """(B, 2 F) -> logits (B, C)."""
        logits: Tensor = self.classifier(self.dropout(features))
        return logits

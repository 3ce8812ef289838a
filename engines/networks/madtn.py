"""MADTN's network (Xia, Zheng, Zong, Jiang; ICPR-FBE 2020): three convolutions, two full layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from mer_live.engines.networks.base import Network


@dataclass(frozen=True, slots=True)
class MadtnNetworkConfig:
    """The paper gives neither widths nor kernels; these make 1.70 M parameters."""

    size: int = 112
    """Side of the motion-attention image."""
    widths: tuple[int, int, int] = (32, 64, 128)
    kernels: tuple[int, int, int] = (5, 3, 3)
    pools: tuple[int, int, int] = (2, 2, 4)
    """Max pooling after each convolution; 112 -> 56 -> 28 -> 7."""
    hidden: int = 256
    """Width of the first fully connected layer, on which the MMD is taken."""
    slope: float = 0.01
    """Of the LeakyReLU."""
    dropout: float = 0.0
    """Before the classifier; the paper names none."""
    normalised: bool = False
    """A BatchNorm before each convolution; the paper names none. A motion image is white where nothing moves, so that
    without it every filter first learns to take the white off."""
    classes: int = 3


class MadtnNetwork(Network):
    """Motion-attention image (B, 3, 112, 112) in 0..1 -> logits (B, C).

    ``features`` is the output of the first fully connected layer, before its activation: what the
    paper's MMD loss compares between source and target (eqs. 4-8).
    """

    name: ClassVar[str] = "madtn"

    def __init__(self, config: MadtnNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.input_names = ("motion",)
        self.feature_size = config.hidden
        side, before = config.size, 3
        stages = []
        for width, kernel, pool in zip(config.widths, config.kernels, config.pools, strict=True):
            conv = nn.Conv2d(before, width, kernel, padding=kernel // 2)
            # The paper names LeakyReLU first; it rises everywhere, so the maximum may be taken before it: the
            # same function on a quarter of the memory traffic.
            norm = [nn.BatchNorm2d(before)] if config.normalised else []
            stages.append(nn.Sequential(*norm, conv, nn.MaxPool2d(pool), nn.LeakyReLU(config.slope)))
            side, before = side // pool, width
        self.stages = nn.Sequential(*stages)
        self.fc1 = nn.Linear(before * side * side, config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.fc2 = nn.Linear(config.hidden, config.classes)

    def features(self, *inputs: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, hidden)."""
        (motion,) = inputs
        maps: Tensor = self.stages(motion)  # (B, 128, 7, 7)
        hidden: Tensor = self.fc1(maps.flatten(1))  # (B, 6272) -> (B, 256)
        return hidden

    def classify(self, features: Tensor) -> Tensor:
        """(B, hidden) -> logits (B, C)."""
        logits: Tensor = self.fc2(self.dropout(F.leaky_relu(features, self.config.slope)))
        return logits

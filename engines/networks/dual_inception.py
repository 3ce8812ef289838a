"""Dual-Inception (Zhou, Mao, Xue; FG 2019): an inception stream for each component of the flow to the apex."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mer_live.engines.networks.base import Network


@dataclass(frozen=True, slots=True)
class DualInceptionNetworkConfig:
    """The sizes of the authors' released network: 6.45 M parameters."""

    size: int = 28
    widths: tuple[int, int] = (6, 16)
    """Filters of every branch of the two inception blocks."""
    hidden: int = 1024
    classes: int = 3


class Inception(nn.Module):
    """Four branches of W filters, joined to 4 W: 1x1; 1x1, 3x3; 1x1, 5x5; max pooling 3x3/1, 1x1. All activated."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()

        def conv(channels: int, kernel: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(channels, width, kernel, padding=kernel // 2), nn.ReLU())

        self.branches = nn.ModuleList(
            [
                conv(before, 1),
                nn.Sequential(conv(before, 1), conv(width, 3)),
                nn.Sequential(conv(before, 1), conv(width, 5)),
                nn.Sequential(nn.MaxPool2d(3, 1, padding=1), conv(before, 1)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, H, H) -> (B, 4 W, H, H)."""
        return torch.cat([branch(x) for branch in self.branches], 1)


class DualInceptionNetwork(Network):
    """Horizontal flow, vertical flow, strain (B, 3, 28, 28) -> logits (B, C); the strain is not looked at.

    Each stream: twice an inception block and max pooling 2x2. Deviation: the authors' network reads each
    component as an image of three channels, ours as the one channel that it is.
    """

    name: ClassVar[str] = "dual-inception"

    def __init__(self, config: DualInceptionNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.input_names = ("flow3",)
        first, second = config.widths
        self.streams = nn.ModuleList(
            nn.Sequential(
                Inception(1, first),
                nn.MaxPool2d(2),
                Inception(4 * first, second),
                nn.MaxPool2d(2),
                nn.Flatten(),
            )
            for _ in range(2)
        )
        self.feature_size = config.hidden
        self.dense = nn.Sequential(
            nn.Linear(2 * 4 * second * (config.size // 4) ** 2, config.hidden), nn.ReLU()
        )
        self.classifier = nn.Linear(config.hidden, config.classes)

    def features(self, *inputs: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, 1024)."""
        (flow3,) = inputs
        joined = torch.cat([stream(flow3[:, k : k + 1]) for k, stream in enumerate(self.streams)], 1)
        dense: Tensor = self.dense(joined)  # (B, 2 * 3136) -> (B, 1024)
        return dense

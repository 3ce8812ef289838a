"""STSTNet (Liong, Gan, See, Khor, Huang; FG 2019): three shallow streams on flow and strain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mer_live.engines.networks.base import Network


@dataclass(frozen=True, slots=True)
class StstnetNetworkConfig:
    """The paper's sizes."""

    size: int = 28
    widths: tuple[int, int, int] = (3, 5, 8)
    """Filters of the three parallel streams."""
    dropout: float = 0.5
    classes: int = 3


class StstnetNetwork(Network):
    """Horizontal flow, vertical flow, strain (B, 3, 28, 28) -> logits (B, C).

    Each stream: convolution 3x3, ReLU, batch normalisation, max pooling 3x3/3, dropout; then the maps
    joined, average pooling 2x2 and one fully connected layer on 5 x 5 x 16 = 400 values. Batch
    normalisation and dropout are those of the authors' released network.
    """

    name: ClassVar[str] = "ststnet"

    def __init__(self, config: StstnetNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.input_names = ("flow3",)
        self.streams = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(3, width, 3, padding=1),
                nn.ReLU(),
                nn.BatchNorm2d(width),
                nn.MaxPool2d(3, stride=3, padding=1),
                nn.Dropout(config.dropout),
            )
            for width in config.widths
        )
        self.pool = nn.AvgPool2d(2)
        side = ((config.size - 1) // 3 + 1) // 2  # 28 -> 10 -> 5
        self.feature_size = sum(config.widths) * side * side
        self.classifier = nn.Linear(self.feature_size, config.classes)

    def features(self, *inputs: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, 400)."""
        (flow3,) = inputs
        maps = torch.cat([stream(flow3) for stream in self.streams], dim=1)  # (B, 16, 10, 10)
        pooled: Tensor = self.pool(maps)  # (B, 16, 5, 5)
        return pooled.flatten(1)

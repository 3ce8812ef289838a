"""OFF-ApexNet (Gan, Liong, Yau, Huang, Tan; SPIC 2019): the two components of the flow to the apex, a stream each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mer_live.engines.networks.base import Network


@dataclass(frozen=True, slots=True)
class OffApexnetNetworkConfig:
    """The paper's sizes: 2.66 M parameters."""

    size: int = 28
    widths: tuple[int, int] = (6, 16)
    """Filters of the two convolutions of a stream."""
    hidden: int = 1024
    """Of both fully connected layers."""
    dropout: float = 0.5
    classes: int = 3


class OffApexnetNetwork(Network):
    """Horizontal flow, vertical flow, strain (B, 3, 28, 28) -> logits (B, C); the strain is not looked at.

    Each stream: twice convolution 5x5, ReLU, max pooling 2x2; then both, flattened, into two fully connected
    layers of 1024 and the classifier.
    """

    name: ClassVar[str] = "off-apexnet"

    def __init__(self, config: OffApexnetNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.input_names = ("flow3",)
        first, second = config.widths
        self.streams = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(1, first, 5, padding=2),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(first, second, 5, padding=2),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Flatten(),
            )
            for _ in range(2)
        )
        self.feature_size = config.hidden
        self.dense = nn.Sequential(
            nn.Linear(2 * second * (config.size // 4) ** 2, config.hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, config.hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
        )
        self.classifier = nn.Linear(config.hidden, config.classes)

    def features(self, *inputs: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, 1024)."""
        (flow3,) = inputs
        joined = torch.cat([stream(flow3[:, k : k + 1]) for k, stream in enumerate(self.streams)], 1)
        dense: Tensor = self.dense(joined)  # (B, 2 * 784) -> (B, 1024)
        return dense

"""DSSN (Khor, See, Liong, Phan, Lin; ICIP 2019): flow magnitude and strain in two truncated AlexNets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from mer_live.engines.networks.base import Network

STILL = 128 / 255
"""Flow of 0 px in the 8 bits of ``flow3``, scaled to 0..1."""


@dataclass(frozen=True, slots=True)
class DssnNetworkConfig:
    """The sizes of the authors' released network: 768,131 parameters."""

    size: int = 227
    """Side of the image, 35 px at least."""
    widths: tuple[int, int] = (96, 256)
    """Filters of AlexNet's first two convolutions."""
    dropout: float = 0.5
    """Before the classifier."""
    classes: int = 3


class DssnNetwork(Network):
    """Horizontal flow, vertical flow, strain (B, 3, 227, 227), from 8 bits -> logits (B, C).

    Each stream is AlexNet up to its second pooling: convolution 11x11/4, then 5x5 in two groups, each with ReLU, max
    pooling 3x3/2 and response normalisation. The maps of flow magnitude and strain are multiplied, as in the released
    code, and classified. Deviation: one channel a stream, and no ImageNet weights.
    """

    name: ClassVar[str] = "dssn"

    def __init__(self, config: DssnNetworkConfig) -> None:
        super().__init__()
        if config.size < 35:
            raise ValueError(f"DSSN needs images of 35 px at least, got size {config.size}")
        self.config = config
        self.input_names = ("flow3",)
        self.streams = nn.ModuleList(_truncated_alexnet(config.widths) for _ in range(2))
        side = (config.size - 11) // 4 + 1
        for _ in range(2):
            side = (side - 3) // 2 + 1
        self.feature_size = config.widths[1] * side * side
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(self.feature_size, config.classes)
        for (
            module
        ) in self.modules():  # as the released code; a product of two maps fades under torch's own weights
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def features(self, *inputs: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, 43264)."""
        (flow3,) = inputs
        magnitude = (flow3[:, :2] - STILL).square().sum(1, keepdim=True).sqrt()
        moved, strained = self.streams
        product: Tensor = moved(magnitude) * strained(flow3[:, 2:])  # (B, 256, 13, 13)
        return product.flatten(1)

    def classify(self, features: Tensor) -> Tensor:
        """(B, 43264) -> logits (B, C)."""
        logits: Tensor = self.classifier(self.dropout(features))
        return logits


def _truncated_alexnet(widths: tuple[int, int]) -> nn.Sequential:
    first, second = widths
    return nn.Sequential(
        nn.Conv2d(1, first, 11, stride=4),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
        nn.Conv2d(first, second, 5, padding=2, groups=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
    )

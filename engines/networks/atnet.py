"""ATNet (Peng et al., ACII 2019): the apex frame in a ResNet-10, 64 steps of flow statistics in an LSTM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mer_live.engines.networks.base import Network
from mer_live.engines.networks.resnet import ResNet10

UNIT_PX = 0.05
"""About the mean magnitude of an ADM cell."""


@dataclass(frozen=True, slots=True)
class AtnetNetworkConfig:
    """The paper's sizes: 8.3 M parameters with both streams."""

    variant: Literal["spatial", "temporal", "fusion"] = "fusion"
    picture: Literal["apex", "flow3"] = "apex"
    """What the ResNet-10 is given: the apex frame (paper), or the flow from the onset to it and its strain."""
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    """Of the ResNet-10; the last one is the width of the spatial feature."""
    step: int = 128
    """Width of one ADM row."""
    cells: Literal["polar", "vector"] = "polar"
    """What the LSTM is given of a cell: "polar", angle and magnitude as they are (paper); "vector", the same
    as a motion vector in units of ``UNIT_PX``. An angle jumps at half a turn and is noise where nothing
    moves, and magnitudes are a hundred times smaller than it."""
    hidden: int = 512
    layers: int = 2
    """Of the LSTM; ``hidden`` is the width of the temporal feature."""
    dropout: float = 0.5
    """On the concatenated feature."""
    classes: int = 3


class TemporalStream(nn.Module):
    """ADM window (B, 64, 128) -> (B, 512): stacked LSTMs, then the mean over **all** steps.

    As in the authors' network the mean includes the all-zero steps on the left of a short window.
    Deviation: their LSTM layer takes a continuation mark per step, ours runs through.
    """

    def __init__(self, step: int, hidden: int, layers: int, cells: str = "polar") -> None:
        super().__init__()
        self.cells = cells
        self.lstm = nn.LSTM(step, hidden, num_layers=layers, batch_first=True)
        for name, parameter in self.lstm.named_parameters():
            if "bias" in name:
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, std=0.1)

    def forward(self, adm: Tensor) -> Tensor:
        """(B, T, 128) -> (B, 512)."""
        if self.cells == "vector":
            angle, magnitude = adm[..., 0::2], adm[..., 1::2] / UNIT_PX  # (B, T, 64) each
            adm = torch.cat([magnitude * angle.cos(), magnitude * angle.sin()], dim=2)
        states, _ = self.lstm(adm)  # (B, T, 512)
        pooled: Tensor = states.mean(dim=1)
        return pooled


class AtnetNetwork(Network):
    """Apex frame (B, 1, 224, 224) raw 0..255, or flow (B, 3, S, S), and ADM window (B, 64, 128) -> logits (B, C).

    ``variant`` "spatial" takes that picture alone, "temporal" the window alone. Each stream's feature
    is L2-normalised (eq. 7) before they are joined.
    """

    name: ClassVar[str] = "atnet"

    def __init__(self, config: AtnetNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.streams = nn.ModuleDict()
        self.feature_size = 0
        if config.variant in ("spatial", "fusion"):
            channels = 1 if config.picture == "apex" else 3
            self.streams[config.picture] = ResNet10(config.widths, channels)
            self.feature_size += config.widths[-1]
        if config.variant in ("temporal", "fusion"):
            self.streams["adm"] = TemporalStream(config.step, config.hidden, config.layers, config.cells)
            self.feature_size += config.hidden
        self.input_names = tuple(self.streams)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(self.feature_size, config.classes)
        nn.init.xavier_uniform_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def features(self, *inputs: Tensor) -> Tensor:
        """Inputs in the order of ``input_names`` -> (B, 512) or (B, 1024)."""
        parts = zip(self.streams.values(), inputs, strict=True)
        # 1e-12, the default, would vanish in half precision.
        return torch.cat([F.normalize(stream(x), eps=1e-6) for stream, x in parts], dim=1)

    def classify(self, features: Tensor) -> Tensor:
        """(B, F) -> logits (B, C)."""
        logits: Tensor = self.classifier(self.dropout(features))
        return logits

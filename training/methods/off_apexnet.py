"""OFF-ApexNet (Gan, Liong, Yau, Huang, Tan; SPIC 2019): flow to the apex in two shallow streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from mer_live.engines.networks import build
from mer_live.engines.networks.base import Network
from mer_live.engines.representation.specs import Flow3Spec, RepresentationSpec
from mer_live.training.learning.trainer import Solver
from mer_live.training.methods.network import LoopConfig, NetworkMethod


@dataclass(frozen=True, slots=True)
class OffApexnetConfig(LoopConfig):
    """Adam 1e-4; epochs and batch are ours."""

    epochs: int = 100
    batch: int = 32
    lr: float = 1e-4
    size: int = 28


class OffApexnet(NetworkMethod):
    """Input ``flow`` (28, 28, 3): horizontal flow and vertical flow; the strain is not used."""

    name: ClassVar[str] = "off-apexnet"
    paper: ClassVar[str] = (
        "Gan, Liong, Yau, Huang, Tan: OFF-ApexNet, Signal Processing: Image Communication 2019"
    )
    Config = OffApexnetConfig

    def build(self) -> Network:
        """Return a fresh network."""
        return build(self.name, {"size": self.config.size, "classes": len(self.classes)})

    def specs(self) -> Mapping[str, RepresentationSpec]:
        """Return the one input."""
        return {"flow": Flow3Spec(size=self.config.size)}

    def published_solver(self, network: Network, steps: int, epochs: int) -> Solver:
        """Return Adam at a fixed rate."""
        return Solver(torch.optim.Adam(network.parameters(), lr=self.config.lr))

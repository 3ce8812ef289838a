"""STSTNet (Liong, Gan, See, Khor, Huang; FG 2019): the shallow network that later papers compare with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from mer_live.engines.networks import build
from mer_live.engines.networks.base import Network
from mer_live.engines.representation import Flow3Spec, RepresentationSpec
from mer_live.training.methods.network import LoopConfig, NetworkMethod


@dataclass(frozen=True, slots=True)
class StstnetConfig(LoopConfig):
    """The paper's settings: Adam, 5e-5, 500 epochs (the authors' later Python code: 800), batch 256.

    Deviation: their code never shuffles; ours shuffles every epoch.
    """

    epochs: int = 500
    batch: int = 256
    lr: float = 5e-5
    size: int = 28


class Ststnet(NetworkMethod):
    """Input ``flow`` (28, 28, 3): horizontal flow, vertical flow, optical strain, onset to apex."""

    name: ClassVar[str] = "ststnet"
    Config = StstnetConfig

    def build(self) -> Network:
        """Return a fresh network."""
        return build("ststnet", {"size": self.config.size})

    def specs(self) -> Mapping[str, RepresentationSpec]:
        """Return the one input."""
        return {"flow": Flow3Spec(size=self.config.size)}

    def optimizer(
        self, network: Network, steps: int, epochs: int
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler | None, str]:
        """Return Adam at a fixed rate."""
        return torch.optim.Adam(network.parameters(), lr=self.config.lr), None, "epoch"

"""Dual-Inception (Zhou, Mao, Xue; FG 2019): flow to the apex in two inception streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mer_live.training.methods.off_apexnet import OffApexnet, OffApexnetConfig


@dataclass(frozen=True, slots=True)
class DualInceptionConfig(OffApexnetConfig):
    """As the authors' released code: Adam 1e-4, 40 epochs of batches of 3."""

    epochs: int = 40
    batch: int = 3


class DualInception(OffApexnet):
    """The inputs and the optimiser are OFF-ApexNet's, the network is the paper's."""

    name: ClassVar[str] = "dual-inception"
    paper: ClassVar[str] = "Zhou, Mao, Xue: Dual-Inception Network, FG 2019"
    Config = DualInceptionConfig

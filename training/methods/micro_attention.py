"""Micro-Attention (Wang, Peng, Bi, Chen; Neurocomputing 2020): the apex frame in a ResNet-10 with attention units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from mer_live.engines.networks import build
from mer_live.engines.networks.base import Network
from mer_live.engines.representation.specs import ApexSpec, RepresentationSpec
from mer_live.training.methods.atnet import Atnet, AtnetConfig


@dataclass(frozen=True, slots=True)
class MicroAttentionConfig(AtnetConfig):
    """The solver that ATNet's authors, who compare with it, released for it: their own (``as_coded``)."""

    variant: Literal["spatial", "temporal", "fusion"] = "spatial"
    recipe: Literal["as_published", "as_coded"] = "as_coded"
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)


class MicroAttention(Atnet):
    """Input ``apex`` (224, 224); trained as ATNet's spatial stream.

    Deviation: the paper starts from ImageNet and macro-expression weights, ours from scratch.
    """

    name: ClassVar[str] = "micro-attention"
    paper: ClassVar[str] = "Wang, Peng, Bi, Chen: Micro-Attention, Neurocomputing 2020"
    Config = MicroAttentionConfig

    def build(self) -> Network:
        """Return a fresh network."""
        return build("micro-attention", {"widths": list(self.config.widths), "classes": len(self.classes)})

    def specs(self) -> Mapping[str, RepresentationSpec]:
        """Return the one input; ``variant`` has no say."""
        return {"apex": ApexSpec(size=self.config.size)}

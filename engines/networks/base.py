"""What all networks share: features, then a classifier on them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn


class Network(nn.Module, ABC):
    """A classifier of one or several representations.

    Training methods work on ``features`` (domain adaptation, contrast) and ``classify``; a runner sees
    only ``forward``, which is one after the other.
    """

    name: ClassVar[str]
    """Name under which ``networks.build`` makes it."""
    config: Any
    """Frozen dataclass the network was built from; goes into the bundle's card."""
    input_names: tuple[str, ...]
    """Representations it takes, in the order of ``forward``'s arguments."""
    feature_size: int
    """Width F of ``features``."""
    classifier: Any
    """What `classify` is, unless a network says otherwise."""

    def ordered(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Inputs by name -> in the order of ``forward``'s arguments."""
        return [inputs[name] for name in self.input_names]

    @abstractmethod
    def features(self, *inputs: Tensor) -> Tensor:
        """Inputs, each (B, ...) -> (B, F)."""

    def classify(self, features: Tensor) -> Tensor:
        """(B, F) -> logits (B, C); most networks have one layer for it."""
        logits: Tensor = self.classifier(features)
        return logits

    def forward(self, *inputs: Tensor) -> Tensor:
        """Inputs, each (B, ...) -> logits (B, C)."""
        return self.classify(self.features(*inputs))

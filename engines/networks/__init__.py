"""The networks, by name. Importing this package does not import torch; ``build`` does."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mer_live.engines.records import from_json

if TYPE_CHECKING:
    from mer_live.engines.networks.base import Network

_TABLE = {
    "madtn": ("madtn", "MadtnConfig", "Madtn"),
    "atnet": ("atnet", "AtnetConfig", "Atnet"),
    "ststnet": ("ststnet", "StstnetConfig", "Ststnet"),
    "minet": ("minet", "MinetConfig", "Minet"),
    "sa-at": ("sa_at", "SaAtConfig", "SaAt"),
    "off-apexnet": ("off_apexnet", "OffApexnetConfig", "OffApexnet"),
    "dual-inception": ("dual_inception", "DualInceptionConfig", "DualInception"),
    "capsulenet": ("capsulenet", "CapsulenetConfig", "Capsulenet"),
    "micro-attention": ("micro_attention", "MicroAttentionConfig", "MicroAttention"),
}
NAMES = tuple(_TABLE)


def build(name: str, config: Mapping[str, Any] | None = None) -> Network:
    """Fresh network with random weights; ValueError for an unknown name or configuration key."""
    if name not in _TABLE:
        raise ValueError(f"network {name!r} is unknown; take one of {', '.join(NAMES)}")
    module_name, config_name, class_name = _TABLE[name]
    module = import_module(f"mer_live.engines.networks.{module_name}")
    parsed = from_json(getattr(module, config_name), config or {}, name)
    network: Network = getattr(module, class_name)(parsed)
    return network

"""The networks, by name. Importing this package does not import torch; ``build`` does."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mer_live.engines.records import from_json

if TYPE_CHECKING:
    from mer_live.engines.networks.base import Network

_TABLE = {
    "madtn": ("madtn", "MadtnNetworkConfig", "MadtnNetwork"),
    "atnet": ("atnet", "AtnetNetworkConfig", "AtnetNetwork"),
    "ststnet": ("ststnet", "StstnetNetworkConfig", "StstnetNetwork"),
    "minet": ("minet", "MinetNetworkConfig", "MinetNetwork"),
    "sa-at": ("sa_at", "SaAtNetworkConfig", "SaAtNetwork"),
    "off-apexnet": ("off_apexnet", "OffApexnetNetworkConfig", "OffApexnetNetwork"),
    "dual-inception": ("dual_inception", "DualInceptionNetworkConfig", "DualInceptionNetwork"),
    "capsulenet": ("capsulenet", "CapsulenetNetworkConfig", "CapsulenetNetwork"),
    "dssn": ("dssn", "DssnNetworkConfig", "DssnNetwork"),
    "micro-attention": ("micro_attention", "MicroAttentionNetworkConfig", "MicroAttentionNetwork"),
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

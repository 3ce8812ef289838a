"""Methods: what is trained, one small class each. The test fold is not an argument of ``fit``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from mer_live.training.learning.settings import apply_settings
from mer_live.training.methods.base import Method

_METHODS: dict[str, str] = {
    "madtn": "mer_live.training.methods.madtn:Madtn",
    "atnet": "mer_live.training.methods.atnet:Atnet",
    "ststnet": "mer_live.training.methods.ststnet.method:Ststnet",
    "svm": "mer_live.training.methods.svm:Svm",
    "mtm": "mer_live.training.methods.mtm.method:Mtm",
    "off-apexnet": "mer_live.training.methods.off_apexnet:OffApexnet",
    "dual-inception": "mer_live.training.methods.dual_inception:DualInception",
    "dssn": "mer_live.training.methods.dssn:Dssn",
    "capsulenet": "mer_live.training.methods.capsulenet:Capsulenet",
    "micro-attention": "mer_live.training.methods.micro_attention:MicroAttention",
    "iw-svm": "mer_live.training.methods.adaptation.iw_svm:IwSvm",
    "tca": "mer_live.training.methods.adaptation.tca:Tca",
    "gfk": "mer_live.training.methods.adaptation.gfk:Gfk",
    "subspace-alignment": "mer_live.training.methods.adaptation.subspace_alignment:SubspaceAlignment",
    "stm": "mer_live.training.methods.adaptation.stm:Stm",
    "tkl": "mer_live.training.methods.adaptation.tkl:Tkl",
    "tsrg": "mer_live.training.methods.adaptation.regeneration:Tsrg",
    "drfs-t": "mer_live.training.methods.adaptation.regeneration:DrfsT",
    "drls": "mer_live.training.methods.adaptation.regeneration:Drls",
    "sa-at": "mer_live.training.methods.sa_at.method:SaAt",
}


def register(name: str, where: str) -> None:
    """Add a method, ``where`` as ``package.module:Class``; its class takes one frozen config dataclass."""
    _METHODS[name] = where


def method_names() -> tuple[str, ...]:
    """Return the names that `make_method` knows."""
    return tuple(sorted(_METHODS))


def make_method(name: str, settings: Mapping[str, Any] | None = None) -> Method:
    """Build an untrained method.

    Args:
        name: One of `method_names`.
        settings: Fields of its config; text from a command line is read as the field's type.

    Raises:
        ValueError: Unknown method or setting, or a value that does not fit; names what there is.
    """
    if name not in _METHODS:
        raise ValueError(f"unknown method {name!r}: choose one of {', '.join(method_names())}")
    module, _, attribute = _METHODS[name].partition(":")
    cls: Any = getattr(importlib.import_module(module), attribute)
    config = apply_settings(cls.Config(), settings or {})
    method: Method = cls(config)
    return method

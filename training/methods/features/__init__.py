"""Handcrafted features: one clip in, one vector out. Nothing is estimated from other clips.

A feature is a frozen dataclass of its settings with ``input``, the array that it reads, and ``vector``.
"""

from __future__ import annotations

import hashlib
import importlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol, cast, get_args

import numpy as np
from numpy.typing import NDArray


class Feature(Protocol):
    """Settings of a feature, and the feature itself."""

    name: ClassVar[str]
    input: ClassVar[str]
    """The prepared array it is made from: ``frames`` or ``flow``."""

    def vector(self, clip: NDArray[Any]) -> NDArray[np.float64]:
        """Return the vector (D,) of one row of ``input``; ValueError where the row does not fit."""


_FEATURES = {
    "lbp-top": "mer_live.training.methods.features.lbp_top:LbpTop",
    "lbp-sip": "mer_live.training.methods.features.lbp_sip:LbpSip",
    "hoof": "mer_live.training.methods.features.hoof:Hoof",
    "bi-woof": "mer_live.training.methods.features.bi_woof:BiWoof",
    "hoof-frames": "mer_live.training.methods.features.flow_frames:HoofFrames",
    "fhofo": "mer_live.training.methods.features.flow_frames:Fhofo",
    "higo": "mer_live.training.methods.features.higo:Higo",
    "stlbp-ip": "mer_live.training.methods.features.integral_projection:IntegralProjection",
}
FeatureName = Literal["lbp-top", "lbp-sip", "hoof", "bi-woof", "hoof-frames", "fhofo", "higo", "stlbp-ip"]
FEATURES: tuple[str, ...] = get_args(FeatureName)
_KEPT = 4
_memory: OrderedDict[tuple[Any, str], NDArray[np.float64]] = OrderedDict()


def make_feature(name: str, settings: Mapping[str, Any] | None = None) -> Feature:
    """Feature by name; ValueError for an unknown name or setting."""
    from mer_live.training.learning.settings import apply_settings

    if name not in _FEATURES:
        raise ValueError(f"feature {name!r} is unknown: choose one of {', '.join(FEATURES)}")
    module, _, attribute = _FEATURES[name].partition(":")
    return cast(
        Feature, apply_settings(getattr(importlib.import_module(module), attribute)(), settings or {})
    )


def extract(feature: Feature, rows: NDArray[Any]) -> NDArray[np.float64]:
    """Vectors of many clips: (N, ...) -> (N, D).

    The last few results are remembered by content, since many methods ask for the same feature of the
    same clips.
    """
    key = (feature, hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest() + str(rows.shape))
    if key not in _memory:
        _memory[key] = np.stack([feature.vector(np.asarray(row)) for row in rows])
        while len(_memory) > _KEPT:
            _memory.popitem(last=False)
    _memory.move_to_end(key)
    return _memory[key]

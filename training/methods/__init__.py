"""Methods: what is trained, one small class each. The test fold is not an argument of ``fit``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, Protocol, TypeVar, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

Inputs = Mapping[str, NDArray[Any]]
"""What a method calls an array -> (N, ...) rows as stored (not scaled)."""
Probabilities = NDArray[np.float32]
"""(N, 3) in the order of CLASSES, rows sum to 1."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Training clips. All of one split's side: whatever a method estimates, it estimates from these."""

    inputs: Inputs
    labels: NDArray[np.int64]
    """(N,)"""
    subjects: NDArray[np.str_]
    """(N,) namespaced."""
    copies: Mapping[str, tuple[NDArray[Any], NDArray[np.int64]]] = field(default_factory=dict)
    """Input name -> (array (M, ...), clip row of each copy (M,)): MADTN's other middle frames."""
    barred: frozenset[str] = frozenset()
    """Subjects of the test fold: by name only, so that a method which reads further data leaves them out."""

    def __post_init__(self) -> None:
        n = len(self.labels)
        if not n:
            raise ValueError("the training side of this fold is empty")
        for name, array in self.inputs.items():
            if len(array) != n or len(self.subjects) != n:
                raise ValueError(f"input {name!r} has {len(array)} rows for {n} labels")

    def take(self, rows: NDArray[np.int64]) -> Labelled:
        """Return these rows; copies stay with their clip."""
        position = np.full(len(self.labels), -1, np.int64)
        position[rows] = np.arange(len(rows))
        copies = {}
        for name, (array, of) in self.copies.items():
            kept = np.flatnonzero(position[of] >= 0)
            copies[name] = (array[kept], position[of[kept]])
        inputs = {name: array[rows] for name, array in self.inputs.items()}
        return Labelled(inputs, self.labels[rows], self.subjects[rows], copies, self.barred)


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Clips of the target domain: there is no field for a label."""

    inputs: Inputs


class Method(Protocol):
    """What the evaluation needs of a method; one object is one model."""

    name: ClassVar[str]
    adapts: ClassVar[bool]
    """Whether `fit` makes use of unlabelled target clips."""

    @property
    def config(self) -> Any:
        """Frozen dataclass with every setting."""

    def wants(self) -> Mapping[str, tuple[int, ...] | None]:
        """Return input name -> shape of one row as stored, or None for any shape."""

    def fit(self, train: Labelled, target_unlabelled: Unlabelled | None = None, seed: int = 0) -> None:
        """Train from scratch; ``seed`` decides every random choice."""

    def predict(self, x: Inputs) -> Probabilities:
        """Return (N, 3) probabilities; no randomness, no augmentation."""


_METHODS: dict[str, str] = {
    "madtn": "mer_live.training.methods.madtn:Madtn",
    "atnet": "mer_live.training.methods.atnet:Atnet",
    "ststnet": "mer_live.training.methods.ststnet.method:Ststnet",
    "svm": "mer_live.training.methods.svm:Svm",
    "mtm": "mer_live.training.methods.mtm.method:Mtm",
    "off-apexnet": "mer_live.training.methods.off_apexnet:OffApexnet",
    "dual-inception": "mer_live.training.methods.dual_inception:DualInception",
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
    return cast(Method, cls(config))


C = TypeVar("C")


def apply_settings(config: C, settings: Mapping[str, Any]) -> C:
    """Return the frozen config with these fields replaced; ValueError for an unknown key or a bad value."""
    known = {f.name for f in fields(cast(Any, config))}
    hints = get_type_hints(type(config))
    values: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in known:
            raise ValueError(f"unknown setting {key!r}; there are {', '.join(sorted(known))}")
        try:
            values[key] = _read(value, hints[key]) if isinstance(value, str) else value
        except ValueError as error:
            raise ValueError(f"setting {key}={value}: {error}") from error
    return cast(C, replace(cast(Any, config), **values))


def parse_settings(items: Sequence[str]) -> dict[str, str]:
    """Turn ``["lr=1e-3"]`` of the command line into a mapping; ValueError where there is no ``=``."""
    result = {}
    for item in items:
        key, sign, value = item.partition("=")
        if not sign or not key.strip():
            raise ValueError(f"--set {item!r} is not KEY=VALUE, such as lr=0.001")
        result[key.strip()] = value.strip()
    return result


def _read(text: str, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError(f"choose one of {', '.join(map(str, get_args(kind)))}")
        return text
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        return tuple(_read(part.strip(), inner) for part in text.split(",") if part.strip())
    if kind is bool:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ValueError("write true or false")
        return text.lower() in ("true", "1", "yes")
    if kind in (int, float):
        return kind(text)
    return text

"""A model on disk: a folder with ``model.onnx`` and ``card.json``, which says all about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from mer_live.engines.errors import BundleError
from mer_live.engines.records import from_json, to_json
from mer_live.engines.representation.specs import (
    AdmSpec,
    ApexSpec,
    Flow3Spec,
    FlowConfig,
    FlowMethod,
    FramesSpec,
    MotionSpec,
)

MODEL = "model.onnx"
CARD = "card.json"
NOT_VALIDATED = "Not validated on spontaneous micro-expressions."


@dataclass(frozen=True, slots=True)
class InputCard:
    """One input of the network."""

    name: str
    """Of the ONNX input."""
    shape: tuple[int, ...]
    """Without the batch axis."""
    representation: MotionSpec | ApexSpec | AdmSpec | Flow3Spec | FramesSpec
    """What to make of a clip; ``network_input`` of it has ``shape``."""
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class NetworkCard:
    """Which network this is, so that torch can rebuild it (``networks.build``)."""

    name: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Card:
    """``card.json``. Unknown and missing keys are errors."""

    name: str
    version: str
    network: NetworkCard
    inputs: tuple[InputCard, ...]
    classes: tuple[str, ...]
    """In the order of the logits."""
    data: str
    """What it was trained on: sets, subjects, how they were made."""
    licence: str
    attribution: str
    """Whom to name; of the training data as well as of the method."""
    sha256: str
    """Of model.onnx."""
    scores: Mapping[str, Any] = field(default_factory=dict)
    """Score name -> value or object, each with the protocol it was measured by."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Method, seed, epochs, augmentation: what it takes to repeat it."""
    validation: str = NOT_VALIDATED
    """What the scores do not show."""
    papers: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()
    """Where it departs from the papers."""
    flows: tuple[FlowMethod, ...] = ()
    """Flows, each with its default parameters, that the inputs may be made with as well as the one that they name;
    ``scores`` says of each how well the network does on it, such as "farneback flow"."""
    opset: int = 20
    precision: str = "float16 weights, float32 compute"
    format: int = 1
    """Of this file."""

    def to_json(self) -> str:
        """Text of ``card.json``."""
        return json.dumps(to_json(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Parse ``card.json``; ValueError names the key that is wrong."""
        card = from_json(cls, json.loads(text), "card")
        if card.format != 1:
            raise ValueError(f"card.format {card.format} is unknown; upgrade mer-live")
        for flow in card.flows:
            if f"{flow} flow" not in card.scores:
                raise ValueError(f"card.flows permits {flow} flow, of which card.scores has no '{flow} flow'")
        return card


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose card was read and whose model's hash was checked."""

    path: Path
    card: Card

    @property
    def onnx_path(self) -> Path:
        """The network, weights included."""
        return self.path / MODEL

    def with_flow(self, method: FlowMethod) -> Bundle:
        """The same network with its inputs made with another flow; BundleError where the card does not permit it."""
        own = {flow.method for wanted in self.card.inputs if (flow := _flow_of(wanted)) is not None}
        if own <= {method}:
            return self
        if method not in self.card.flows:
            raise BundleError(
                f"{self.card.name} accepts {' and '.join(sorted(own | set(self.card.flows)))} flow, not {method}: "
                "its scores hold for no other."
            )
        inputs = tuple(_with_flow(wanted, FlowConfig(method=method)) for wanted in self.card.inputs)
        return replace(self, card=replace(self.card, inputs=inputs))


def _flow_of(wanted: InputCard) -> FlowConfig | None:
    flow: FlowConfig | None = getattr(wanted.representation, "flow", None)
    return flow


def _with_flow(wanted: InputCard, flow: FlowConfig) -> InputCard:
    spec = wanted.representation
    if not isinstance(spec, MotionSpec | AdmSpec | Flow3Spec):
        return wanted
    return replace(wanted, representation=replace(spec, flow=flow))


def list_bundles() -> list[str]:
    """Names of the shipped bundles."""
    zoo = _zoo()
    return sorted(p.name for p in zoo.iterdir() if (p / CARD).is_file()) if zoo.is_dir() else []


def load_bundle(name_or_dir: str | Path) -> Bundle:
    """Read and check a bundle: a shipped name (``list_bundles``) or a folder.

    Raises BundleError when it is not there, incomplete, unreadable, or when the model is not the one that
    the card describes.
    """
    path = _find(name_or_dir)
    for name in (CARD, MODEL):
        if not (path / name).is_file():
            raise BundleError(f"{path} is not a complete bundle: {name} is missing; export it again.")
    try:
        card = Card.from_json((path / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path / CARD} cannot be used: {error}.") from error
    digest = file_sha256(path / MODEL)
    if digest != card.sha256:
        raise BundleError(
            f"{path / MODEL} is not the model its card describes (sha256 {digest[:12]}..., card "
            f"{card.sha256[:12]}...); copy or export the bundle again."
        )
    return Bundle(path, card)


def common_classes(bundles: Sequence[Bundle]) -> tuple[str, ...]:
    """The classes of one bundle or more, in the order of their logits; BundleError where they differ."""
    first = bundles[0].card
    for other in (bundle.card for bundle in bundles[1:]):
        if other.classes != first.classes:
            raise BundleError(
                f"{first.name} names {', '.join(first.classes)} and {other.name} {', '.join(other.classes)}: bundles "
                "of different classes cannot be averaged; name one, or others of the same classes, with --bundle."
            )
    return first.classes


def file_sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _zoo() -> Path:
    return Path(str(files("mer_live.engines"))) / "zoo"


def _find(name_or_dir: str | Path) -> Path:
    names = list_bundles()
    if isinstance(name_or_dir, str) and name_or_dir in names:
        return _zoo() / name_or_dir
    path = Path(name_or_dir)
    if path.is_dir():
        return path
    shipped = ", ".join(names) or "none"
    raise BundleError(f"Bundle {str(name_or_dir)!r} is neither a shipped name ({shipped}) nor a folder.")

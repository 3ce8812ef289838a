"""What the live path will make of a clip, taken from how a prepared set was made; refused where the two differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.represent import network_input
from mer_live.engines.representation.specs import (
    CHANNELS,
    AdmSpec,
    ApexSpec,
    Flow3Spec,
    FramesSpec,
    MotionSpec,
    RepresentationSpec,
    spec_from_json,
    spec_to_json,
)
from mer_live.realtime.face.crop import CROP_SIZE
from mer_live.training.evaluation.material import resolve_inputs
from mer_live.training.learning.data import Inputs
from mer_live.training.methods.network import NetworkMethod
from mer_live.training.prepared.prepared_set import PreparedSet

STATED = "stated by the maker, not checked"


@dataclass(frozen=True, slots=True)
class LiveInput:
    """One input of a network, as the live path will make it."""

    array: str
    """Name of the file in the set, without ``.npy``."""
    spec: RepresentationSpec
    source: str
    """Who says so: ``prepare.json``, or `STATED`."""


def live_inputs(
    prepared: PreparedSet, model: NetworkMethod, stated: Mapping[str, RepresentationSpec]
) -> dict[str, LiveInput]:
    """Return, for each input of the method, the representation that gives live what it is trained on.

    Args:
        prepared: The set that is trained on.
        model: With settled settings.
        stated: Array -> representation, of arrays that ``prepare.json`` says nothing about.

    Raises:
        ValueError: Nobody says how an array was made, or the live path would compute something else.
    """
    found = {}
    for name, wanted in model.specs().items():
        key = resolve_inputs(prepared, model)[name]
        array = prepared.inputs.get(key, key)
        stored, source = _made(prepared, array, wanted, stated)
        what = f"{model.name}'s input {name!r} is read from the array {array!r}"
        rows = prepared.array(key)
        found[name] = LiveInput(array, _fitted(what, array, rows, stored, wanted), source)
    unused = sorted(set(stated) - {live.array for live in found.values()})
    if unused:
        raise ValueError(
            f"--representation tells of the array {unused[0]!r}, which {model.name} does not use"
        )
    return found


def check_tensors(model: NetworkMethod, rows: Inputs, inputs: Mapping[str, LiveInput]) -> None:
    """Raise ValueError where the method feeds its network other numbers than the live path will.

    Args:
        model: Trained or not.
        rows: Input name -> (N, ...) real rows, resized to what the method wants.
        inputs: What the card will say.
    """
    tensors = model.tensors(rows)
    for name, live in inputs.items():
        shown = network_input(rows[name], live.spec)
        if isinstance(live.spec, MotionSpec):
            left_out = [k for k, channel in enumerate(CHANNELS) if channel not in live.spec.channels]
            shown[:, left_out] = 0
        if not np.array_equal(shown, tensors[live.spec.name].numpy()):
            raise ValueError(
                f"{model.name} changes its input {name!r} in a way that a card cannot say: it cannot be exported"
            )


def _made(
    prepared: PreparedSet,
    array: str,
    wanted: RepresentationSpec,
    stated: Mapping[str, RepresentationSpec],
) -> tuple[RepresentationSpec, str]:
    note = prepared.path / "prepare.json"
    told = prepared.parameters.get("representations")
    data = told.get(array) if isinstance(told, Mapping) else None
    example = f"{'' if array == wanted.name else f'{array}='}{wanted.name}"
    if data is None:
        if array in stated:
            return stated[array], STATED
        raise ValueError(
            f"{note} does not say how the array {array!r} was made: make it with mer-train prepare, or state it "
            f"with --representation, such as {example}{_EXAMPLES.get(wanted.name, '')}"
        )
    spec = _read(note, array, data)
    if stated.get(array, spec) != spec:
        raise ValueError(
            f"--representation and {note} disagree about the array {array!r}: leave the option out"
        )
    return spec, note.name


_EXAMPLES = {"motion": ":flow.method=farneback:middle=centre", "flow3": ":flow_px=112:max_px=4"}


def _read(note: Path, array: str, data: Any) -> RepresentationSpec:
    try:
        spec = spec_from_json(data)
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{note}, {array}: {error}: prepare again") from error
    if spec_to_json(spec) != data:  # a default of today would stand in for what was done then
        raise ValueError(
            f"{note} does not give every parameter of {array!r}: prepare again with this version"
        )
    return spec


def _fitted(
    what: str, array: str, rows: NDArray[Any], stored: RepresentationSpec, wanted: RepresentationSpec
) -> RepresentationSpec:
    """Return ``stored`` at the size and with the channels of ``wanted``, if that gives the same numbers live."""
    if type(stored) is not type(wanted):
        raise ValueError(
            f"{what}, which holds {stored.name}, not {wanted.name}: this trains, but would not run live"
        )
    if rows.shape[1:] != stored.shape:
        raise ValueError(
            f"{what}, whose rows are {rows.shape[1:]}, not {stored.shape} as was said: prepare again"
        )
    floats = isinstance(stored, AdmSpec) or (isinstance(stored, Flow3Spec) and stored.dtype == "float32")
    if rows.dtype.kind != "f" if floats else rows.dtype != np.uint8:
        made = "float32" if floats else "uint8"
        raise ValueError(f"{what}, which holds {rows.dtype}; the live path makes {made}, on another scale")
    if isinstance(stored, MotionSpec) and isinstance(wanted, MotionSpec):
        stored = replace(stored, channels=tuple(c for c in stored.channels if c in wanted.channels))
    if stored.shape == wanted.shape:
        return stored
    # Training shrinks the crop by area as the live path does; a second resize, or an enlargement, is something else.
    if isinstance(stored, ApexSpec | FramesSpec) and stored.size == CROP_SIZE > wanted.shape[-1]:
        return replace(stored, size=wanted.shape[-1])
    side, other = stored.shape[-2], wanted.shape[-2]
    example = f"{'' if array == wanted.name else f'{array}='}{wanted.name}:size={other}"
    raise ValueError(
        f"{what}, which was made at {side} px: resized to {other} px it is not what the live path makes at that "
        f"size; prepare it with --representations {example}, or train with --set size={side}"
    )

"""Rendered clips in training, alone (zero shot) or beside the real ones: what the renderer is worth."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.training.evaluation.material import FoldMaterial, gather
from mer_live.training.evaluation.protocols import Fold, ProtocolError, Split, train_on_all
from mer_live.training.learning.data import Rows
from mer_live.training.methods import make_method
from mer_live.training.prepared.prepared_set import PreparedSet

ZERO_SHOT = "zero-shot"


def rendered_clips(synthetic: Path) -> dict[str, Any]:
    """What a report says of the rendered set: folder, how it was made, number of clips."""
    rendered = PreparedSet.open(synthetic)
    made = rendered.parameters.get("synthetic")
    return {"folder": str(synthetic), "synthetic": made, "clips": len(rendered.labels)}


def zero_shot(
    split: Split, real: FoldMaterial, synthetic: Path, inputs: Mapping[str, str]
) -> tuple[Split, FoldMaterial]:
    """One fold: the rendered set to train on; to test, all clips that ``split`` tests, or has where it tests none.

    No real clip is seen in training, so there is one model; scores are those of the clips and labels of ``split``, in
    its variants. Where the tested clips were rendered too, clips of the same people are left out of the training.

    Args:
        split: The real clips, under the labels of a protocol.
        real: Of `gather`; its settings are what the rendered arrays are read by.
        synthetic: A prepared set of ``mer-train synth-set`` with the arrays that the method reads.
        inputs: What the method calls an array -> the array it is read from, in both sets.

    Raises:
        ProtocolError: The set was not rendered, or its arrays have other shapes or its clips other classes, or it shows
            nobody but those who are tested.
        PreparedError: It cannot be read.
    """
    both, made = _joined(split, real, synthetic, inputs)
    tested = np.concatenate([fold.test for fold in split.folds])
    tested = tested if len(tested) else split.rows
    made = _without(both, made, tested)
    if not len(made):
        raise ProtocolError(f"{synthetic} shows nobody but those who are tested: render other people")
    fold = Fold(ZERO_SHOT, made, tested)
    both = replace(both, folds=(fold,), fingerprint=_fingerprint(ZERO_SHOT, both))
    return replace(split, folds=(fold,), tasks=False), both


def mixed(
    split: Split, real: FoldMaterial, synthetic: Path, inputs: Mapping[str, str], weight: float
) -> tuple[Split, FoldMaterial]:
    """The folds of ``split`` with rendered clips beside the real ones on their training sides.

    A rendered clip of somebody who is tested in a fold stays out of it; rendered clips are never tested.

    Args:
        split: The real clips and their folds.
        real: Of `gather`.
        synthetic: As of `zero_shot`.
        inputs: As of `zero_shot`.
        weight: How much a rendered clip counts beside a real one, above 0 to 1. An SVM multiplies the penalty by it;
            a network is shown that share of the rendered clips of each class in an epoch, drawn anew each time.

    Raises:
        ProtocolError, PreparedError: As `zero_shot`.
        ValueError: The weight is out of range, or the method cannot weigh clips.
    """
    if not 0 < weight <= 1:
        raise ValueError(f"--synthetic-weight must lie above 0 and at most at 1, got {weight}")
    model = make_method(real.method, real.settings)
    if not model.weighs:
        raise ValueError(f"{model.name} cannot weigh clips, so rendered ones cannot be mixed in")
    both, made = _joined(split, real, synthetic, inputs)
    folds = [
        replace(fold, train=np.concatenate([fold.train, _without(both, made, fold.test)]))
        for fold in split.folds
    ]
    weights = np.ones(len(both.labels))
    weights[made] = weight
    # A stack of folds shares the order of its clips, which weights would tell apart.
    both = replace(both, weights=weights, stacked=False, folds=tuple(folds))
    both = replace(both, fingerprint=_fingerprint(f"mixed {weight}", both))
    return replace(split, folds=tuple(folds)), both


def _joined(
    split: Split, real: FoldMaterial, synthetic: Path, inputs: Mapping[str, str]
) -> tuple[FoldMaterial, Rows]:
    """The real clips and behind them the rendered ones; and the rows of these."""
    rendered = PreparedSet.open(synthetic, inputs)
    if "synthetic" not in rendered.parameters:
        raise ProtocolError(f"{synthetic} holds no rendered clips: make it with mer-train synth-set")
    if rendered.classes != split.classes:
        raise ProtocolError(
            f"{synthetic} was rendered in the classes {', '.join(rendered.classes)}, the real clips have "
            f"{', '.join(split.classes)}: prepare these without --classes"
        )
    everything = train_on_all(rendered)
    made = gather(
        rendered,
        everything,
        real.method,
        real.settings,
        stacked=real.stacked,
        tests=False,
        compute=real.compute,
    )
    for name, array in real.inputs.items():
        if made.inputs[name].shape[1:] != array.shape[1:]:
            raise ProtocolError(
                f"{name} is {made.inputs[name].shape[1:]} in {synthetic} and {array.shape[1:]} in the real set: "
                "render it with the representations that the real set was prepared with"
            )
    first = len(real.labels)
    copies = {name: [found] for name, found in real.copies.items()}
    for name, (array, rows) in made.copies.items():
        copies.setdefault(name, []).append((array, rows + first))
    both = replace(
        real,
        inputs={name: np.concatenate([array, made.inputs[name]]) for name, array in real.inputs.items()},
        copies={
            name: (np.concatenate([a for a, _ in found]), np.concatenate([r for _, r in found]))
            for name, found in copies.items()
        },
        labels=np.concatenate([real.labels, made.labels]),
        subjects=np.concatenate([real.subjects, made.subjects]),
        keys=np.concatenate([real.keys, made.keys]),
        fingerprint=f"{real.fingerprint} {made.fingerprint}",
    )
    return both, everything.folds[0].train + first


def _without(both: FoldMaterial, made: Rows, tested: Rows) -> Rows:
    """The rendered rows that show nobody of the tested ones."""
    return made[~np.isin(both.subjects[made], both.subjects[tested])]


def _fingerprint(how: str, both: FoldMaterial) -> str:
    return hashlib.sha256(f"{how} {both.fingerprint}".encode()).hexdigest()

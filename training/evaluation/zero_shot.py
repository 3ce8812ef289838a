"""Trained on rendered clips alone, tested on every real one: what the renderer is worth."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.training.evaluation.material import FoldMaterial, gather
from mer_live.training.evaluation.protocols import Fold, ProtocolError, Split, train_on_all
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
    """One fold: all clips of the rendered set to train on, all clips of ``split`` to test.

    No real clip is seen in training, so nobody is left out and there is one model; scores are those of the clips and
    labels of ``split``, in its variants. The rendered set gives its copies, the real one none.

    Args:
        split: The real clips, under the labels of a protocol.
        real: Of `gather`; its settings are what the rendered arrays are read by.
        synthetic: A prepared set of ``mer-train synth-set`` with the arrays that the method reads.
        inputs: What the method calls an array -> the array it is read from, in both sets.

    Raises:
        ProtocolError: The set was not rendered, or its arrays have other shapes.
        PreparedError: It cannot be read.
    """
    rendered = PreparedSet.open(synthetic, inputs)
    if "synthetic" not in rendered.parameters:
        raise ProtocolError(f"{synthetic} holds no rendered clips: make it with mer-train synth-set")
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
    fold = Fold(ZERO_SHOT, everything.folds[0].train + first, split.rows)
    both = replace(
        real,
        inputs={name: np.concatenate([array, made.inputs[name]]) for name, array in real.inputs.items()},
        copies={name: (array, rows + first) for name, (array, rows) in made.copies.items()},
        labels=np.concatenate([real.labels, made.labels]),
        subjects=np.concatenate([real.subjects, made.subjects]),
        keys=np.concatenate([real.keys, made.keys]),
        folds=(fold,),
        fingerprint=hashlib.sha256(f"{ZERO_SHOT} {real.fingerprint} {made.fingerprint}".encode()).hexdigest(),
    )
    return replace(split, folds=(fold,), tasks=False), both

"""Macro-expression clips as further training data: any prepared set, without the people a fold is tested on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from mer_live.realtime.types import CLASSES
from mer_live.training.learning.data import Labelled
from mer_live.training.prepared.prepared_set import PreparedSet


def macro_side(
    folder: str | Path,
    wants: Mapping[str, tuple[int, ...] | None],
    barred: Collection[str] = (),
    classes: tuple[str, ...] = CLASSES,
) -> Labelled:
    """Return the clips of a macro-expression set that a fold may be trained on.

    Args:
        folder: Prepared set, such as of CK+, or rendered by ``mer-train synth-set --kind macro``.
        wants: Input name -> shape of a row, as of ``Method.wants``; the arrays have the inputs' names.
        barred: Subjects that must not be trained on, ``Labelled.barred``. Subjects are namespaced by the
            people filmed, so a set that filmed the same people under another name is caught as well.
        classes: Of the micro-expressions, which the set must have too.

    Raises:
        PreparedError: The set cannot be used.
        ValueError: Nobody is left, or the classes are others.
    """
    prepared = PreparedSet.open(folder)
    if prepared.classes != classes:
        raise ValueError(
            f"{folder} has the classes {', '.join(prepared.classes)} instead of {', '.join(classes)}: prepare it with "
            f"--classes {','.join(classes)}"
        )
    allowed = ~np.isin(prepared.subjects, sorted(barred))
    if not allowed.any():
        raise ValueError(f"{folder} holds only people of the test fold: take another macro-expression set")
    part = prepared.subset(allowed)
    inputs = {name: np.asarray(part.array(name, shape)) for name, shape in wants.items()}
    return Labelled(inputs, part.labels, part.subjects, classes=classes)

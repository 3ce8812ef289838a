"""What is trained on and what is adapted to: clips as named arrays, with labels or without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.types import CLASSES

Rows = NDArray[np.int64]
"""Row numbers of clips."""
Inputs = Mapping[str, NDArray[Any]]
"""What a method calls an array -> (N, ...) rows as stored (not scaled)."""
Probabilities = NDArray[np.float32]
"""(N, C) in the order of the classes, rows sum to 1."""


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
    classes: tuple[str, ...] = CLASSES
    """What the labels 0, 1, ... mean."""
    weights: NDArray[np.float64] | None = None
    """(N,) in 0..1, how much a clip counts; None: each as much as any other."""

    def __post_init__(self) -> None:
        n = len(self.labels)
        if not n:
            raise ValueError("the training side of this fold is empty")
        for name, array in self.inputs.items():
            if len(array) != n or len(self.subjects) != n:
                raise ValueError(f"input {name!r} has {len(array)} rows for {n} labels")

    def take(self, rows: Rows) -> Labelled:
        """Return these rows; copies stay with their clip."""
        position = np.full(len(self.labels), -1, np.int64)
        position[rows] = np.arange(len(rows))
        copies = {}
        for name, (array, of) in self.copies.items():
            kept = np.flatnonzero(position[of] >= 0)
            copies[name] = (array[kept], position[of[kept]])
        inputs = {name: array[rows] for name, array in self.inputs.items()}
        return replace(
            self,
            inputs=inputs,
            labels=self.labels[rows],
            subjects=self.subjects[rows],
            copies=copies,
            weights=None if self.weights is None else self.weights[rows],
        )


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Clips of the target domain: there is no field for a label."""

    inputs: Inputs

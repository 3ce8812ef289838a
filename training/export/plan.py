"""What an export is asked for, and all that it needs, checked before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.engines.representation.specs import RepresentationSpec
from mer_live.training.evaluation.material import FoldMaterial
from mer_live.training.evaluation.protocols import Split
from mer_live.training.export.specs import LiveInput
from mer_live.training.learning.data import Unlabelled
from mer_live.training.methods.network import NetworkMethod
from mer_live.training.prepared.prepared_set import PreparedSet


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to train, and what to call it."""

    data: Path
    method: str
    out: Path
    licence: str
    attribution: str
    name: str = ""
    """Of the bundle; the method's if empty."""
    version: str = "0.1.0"
    inputs: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    protocol: str | None = None
    """Train on the clips of this protocol, with its labels; None: on every row."""
    database: str | None = None
    partial: bool = False
    train_split: bool = False
    """Train only on rows whose column ``split`` is ``train``."""
    representations: tuple[tuple[str, RepresentationSpec], ...] = ()
    """(array, how it was made), for sets that do not say."""
    scores: Path | None = None
    """Report of ``mer-train evaluate``."""
    target: Path | None = None
    """Prepared set whose inputs are the target domain."""


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """A request that was checked, with all that it needs in memory."""

    request: ExportRequest
    prepared: PreparedSet
    material: FoldMaterial
    """One fold: its training side is what is trained on."""
    model: NetworkMethod
    """Untrained, of the settled settings."""
    inputs: Mapping[str, LiveInput]
    trained: Split
    """The clips that are trained on."""
    target: Unlabelled | None
    target_note: Mapping[str, Any] | None
    report: Mapping[str, Any] | None
    rows: Mapping[str, Any]
    """Input name -> up to 16 real rows, for the parity check."""

    @property
    def subjects(self) -> int:
        """How many people are trained on."""
        return len(set(self.prepared.subjects[self.trained.rows].tolist()))

    @property
    def found(self) -> dict[str, int]:
        """Where the frames of how many clips come from, as ``prepare`` noted it."""
        column = self.prepared.index.get("found")
        if column is None:
            return {}
        names, counts = np.unique(column[self.trained.rows], return_counts=True)
        return {str(n): int(c) for n, c in zip(names, counts, strict=True)}

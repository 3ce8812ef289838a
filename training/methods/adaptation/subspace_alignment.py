"""SA (Fernando, Habrard, Sebban, Tuytelaars; ICCV 2013): turn the source's subspace onto the target's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mer_live.training.methods.adaptation.base import (
    AdaptationConfig,
    Adapting,
    Decision,
    Labels,
    Matrix,
    linear_svm,
    principal_directions,
)


@dataclass(frozen=True, slots=True)
class SubspaceAlignmentConfig(AdaptationConfig):
    """Settings of `SubspaceAlignment`."""

    dimensions: int = 20
    """Of either subspace; the paper bounds it by the stability of the eigenvalues."""


class SubspaceAlignment(Adapting):
    """M = Ps' Pt minimises |Ps M - Pt|_F; source clips go to x Ps M, target clips to x Pt."""

    name: ClassVar[str] = "subspace-alignment"
    Config = SubspaceAlignmentConfig

    def adapt(self, source: Matrix, labels: Labels, target: Matrix) -> Decision:
        """Each domain is centred by its own mean, then a linear SVM in the target's coordinates."""
        mean_s, ps = principal_directions(source, self.config.dimensions)
        mean_t, pt = principal_directions(target, self.config.dimensions)
        aligned = (source - mean_s) @ ps @ (ps.T @ pt)
        decide = linear_svm(aligned, labels, self.config.c)
        return lambda x: decide((x - mean_t) @ pt)

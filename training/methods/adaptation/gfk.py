"""GFK (Gong, Shi, Sha, Grauman; CVPR 2012): the kernel of all subspaces on the way from source to target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

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
class GfkConfig(AdaptationConfig):
    """Settings of `Gfk`."""

    dimensions: int = 20
    """Of either subspace."""


class Gfk(Adapting):
    """Each domain is centred by its own mean, as the authors do; an SVM on the kernel instead of their 1-NN."""

    name: ClassVar[str] = "gfk"
    Config = GfkConfig

    def adapt(self, source: Matrix, labels: Labels, target: Matrix) -> Decision:
        """The kernel is an inner product of short vectors: map once, then a linear SVM."""
        mean_s, ps = principal_directions(source, self.config.dimensions)
        mean_t, pt = principal_directions(target, self.config.dimensions)
        count = min(ps.shape[1], pt.shape[1])
        flow = geodesic_map(ps[:, :count], pt[:, :count])
        decide = linear_svm((source - mean_s) @ flow, labels, self.config.c)
        return lambda x: decide((x - mean_t) @ flow)


def geodesic_map(ps: Matrix, pt: Matrix) -> Matrix:
    """F with F F' = G = integral over t in 0..1 of Phi(t) Phi(t)'.

    Phi(t) = A cos(t theta) + B sin(t theta), theta the principal angles between the subspaces, A = Ps U1 the
    principal vectors of the source and B the unit vectors that lead from there to the target's. So G needs no
    complement of Ps, and no D x D matrix.

    ======  ========  ==========================================
    ps, pt  (D, d)    orthonormal bases
    returns (D, 2d)
    ======  ========  ==========================================
    """
    u, cosine, vt = np.linalg.svd(ps.T @ pt)
    theta = np.arccos(np.clip(cosine, -1, 1))
    a = ps @ u
    away = pt @ vt.T - a * np.cos(theta)
    b = away / np.maximum(np.linalg.norm(away, axis=0), 1e-12)  # theta = 0: no way to go, its weights are 0
    # Integrals of cos^2, sin cos and sin^2 of t theta.
    half = 0.5 * np.sinc(2 * theta / np.pi)
    cc, ss = 0.5 + half, 0.5 - half
    with np.errstate(divide="ignore", invalid="ignore"):
        sc = np.where(theta > 1e-9, (1 - np.cos(2 * theta)) / (4 * theta), 0.0)
    blocks = np.stack([np.stack([cc, sc], 1), np.stack([sc, ss], 1)], 1)  # (d, 2, 2)
    values, vectors = np.linalg.eigh(blocks)
    roots = vectors * np.sqrt(np.maximum(values, 0))[:, None]  # (d, 2, 2)
    return np.concatenate([a * roots[:, 0, k] + b * roots[:, 1, k] for k in (0, 1)], 1)

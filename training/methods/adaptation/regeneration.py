"""Domain regeneration (Zong, Zheng, Huang, Shi, Cui, Zhao; IEEE TIP 2018): TSRG, DRFS-T and DRLS.

One regenerator P on the kernel to all clips, learnt three ways. TSRG is also Zong, Huang, Zheng, Cui, Zhao (ACM
MM 2017), where it was published first; the later paper calls it DRFS-S.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mer_live.realtime.types import CLASSES
from mer_live.training.methods.adaptation.base import (
    AdaptationConfig,
    Adapting,
    Decision,
    Labels,
    Matrix,
    linear_svm,
)
from mer_live.training.methods.kernel_svm import softmax

_STEPS = 300


@dataclass(frozen=True, slots=True)
class RegenerationConfig(AdaptationConfig):
    """Settings of the three methods; the authors try 7 x 37 pairs of them on the target's labels."""

    match: float = 10.0
    """Lambda: equal means of the regenerated domains."""
    sparsity: float = 1e-3
    """Mu: |P|_1."""


class Tsrg(Adapting):
    """Source clips are regenerated as they are, target clips with the same mean; an SVM trained on the source."""

    name: ClassVar[str] = "tsrg"
    Config = RegenerationConfig

    def adapt(self, source: Matrix, labels: Labels, target: Matrix) -> Decision:
        """min |Xs - P'Ks|^2 + lambda |P'(mean Ks - mean Kt)|^2 + mu |P|_1; target clips become P'k."""
        regenerate = regenerator(source, target, source, self.config.match, self.config.sparsity)
        decide = linear_svm(source, labels, self.config.c)
        return lambda x: decide(regenerate(x))


class DrfsT(Adapting):
    """The same with the domains exchanged: the source is regenerated into the target's space."""

    name: ClassVar[str] = "drfs-t"
    Config = RegenerationConfig

    def adapt(self, source: Matrix, labels: Labels, target: Matrix) -> Decision:
        """Target clips are regenerated as they are; an SVM trained on the regenerated source.

        P has no offset, so the mean of the domain that is kept is the origin: here the target's.
        """
        origin = target.mean(0)
        source, target = source - origin, target - origin
        regenerate = regenerator(target, source, target, self.config.match, self.config.sparsity)
        decide = linear_svm(regenerate(source), labels, self.config.c)
        return lambda x: decide(x - origin)


class Drls(Adapting):
    """Both domains are regenerated in label space: a regression that also matches the domains' means."""

    name: ClassVar[str] = "drls"
    Config = RegenerationConfig

    def adapt(self, source: Matrix, labels: Labels, target: Matrix) -> Decision:
        """min |Ls - P'Ks|^2 + ..., Ls the one-hot labels; the largest element is the class."""
        wanted = np.eye(len(CLASSES))[labels]
        regenerate = regenerator(source, target, wanted, self.config.match, self.config.sparsity)
        return lambda x: softmax(regenerate(x)).astype(np.float32)


def regenerator(
    kept: Matrix, moved: Matrix, wanted: Matrix, match: float, sparsity: float
) -> Callable[[Matrix], Matrix]:
    """Minimise |W' - P'Ka|_F^2 + lambda |P'(mean Ka - mean Kb)|^2 + mu |P|_1, linear kernel.

    Ka and Kb are the kernels of the two domains to all clips of both.

    =========  ==========  ============================================================
    kept       (N, D)      domain a, whose regeneration is given
    moved      (M, D)      domain b, which has to follow
    wanted     (N, E)      what a clip of domain a becomes
    returns                clips (K, D) -> regenerated clips (K, E)
    =========  ==========  ============================================================

    Deviation: ADMM with a fixed penalty until both residuals are small, where the authors let the penalty
    grow; the problem is convex and has the same minimum.
    """
    both = np.concatenate([kept, moved])
    p = regenerating_weights(both @ kept.T, both @ moved.T, wanted, match, sparsity)
    return lambda x: np.asarray((x @ both.T) @ p)


def regenerating_weights(ka: Matrix, kb: Matrix, wanted: Matrix, match: float, sparsity: float) -> Matrix:
    """P (N + M, E) of `regenerator` for the kernels Ka (N + M, N) and Kb (N + M, M)."""
    gap = ka.mean(1) - kb.mean(1)
    system = ka @ ka.T + match * np.outer(gap, gap)
    values, vectors = np.linalg.eigh(system)
    penalty = 2 * float((ka**2).sum()) / len(ka) + 1e-12  # twice the mean eigenvalue without the gap's
    solve = (vectors / (np.maximum(values, 0) + penalty / 2)) @ vectors.T
    right = ka @ wanted
    p = np.zeros((len(ka), wanted.shape[1]))
    dual = np.zeros_like(p)
    for _ in range(_STEPS):
        q = solve @ (right + (penalty * p + dual) / 2)
        before = p
        p = _shrunk(q - dual / penalty, sparsity / penalty)
        dual += penalty * (p - q)
        scale = 1e-4 * max(float(np.abs(p).max()), 1e-12)
        if max(float(np.abs(p - q).max()), float(np.abs(p - before).max())) < scale:
            break
    return p


def _shrunk(x: Matrix, by: float) -> Matrix:
    return np.asarray(np.sign(x) * np.maximum(np.abs(x) - by, 0))

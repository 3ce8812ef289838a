"""STM (Chu, De la Torre, Cohn; CVPR 2013, PAMI 2017): classifier and source weights are learnt together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.types import CLASSES
from mer_live.training.methods.adaptation.base import (
    AdaptationConfig,
    Adapting,
    Decision,
    Labels,
    Matrix,
    linear_svm,
    median_gamma,
    rbf,
)
from mer_live.training.methods.adaptation.iw_svm import floored, importance
from mer_live.training.methods.adaptation.mean_matching import bounded_qp, matching_terms
from mer_live.training.methods.kernel_svm import softmax


@dataclass(frozen=True, slots=True)
class StmConfig(AdaptationConfig):
    """Settings of `Stm`."""

    weight: float = 1.0
    """Lambda: matching the target against classifying the source."""
    bound: float = 10.0
    """Largest weight of a clip."""
    rounds: int = 10
    """Alternations at most."""


class Stm(Adapting):
    """min over w, s of |w|^2 / 2 + C sum s_i loss_i(w) + lambda |mean of s phi(source) - mean of phi(target)|^2.

    Alternates a weighted SVM (s fixed) and a quadratic programme (w fixed): s'Ks / 2 +
    (C / lambda loss - kappa)'s. The paper is binary; here one-against-rest machines share s, and a clip's loss
    is the sum of their hinges. No landmark penalty (its extension for partly labelled targets).
    """

    name: ClassVar[str] = "stm"
    Config = StmConfig

    def adapt(self, source: Matrix, labels: Labels, target: Matrix) -> Decision:
        """Alternate until the weights change no more, then train with them."""
        classes = np.unique(labels)
        if len(classes) < 2:
            return linear_svm(source, labels, self.config.c)
        inner = source @ source.T
        weights = selected(source, labels, target, self.config)
        machines = [_machine(inner, labels == c, weights, self.config.c) for c in classes]

        def decide(x: Matrix) -> Any:
            result = np.zeros((len(x), len(CLASSES)), np.float32)
            values = np.stack([m.decision_function(x @ source.T) for m in machines], 1)
            result[:, classes] = softmax(values)
            return result

        return decide


def selected(source: Matrix, labels: Labels, target: Matrix, config: StmConfig) -> Matrix:
    """Weights (N,) of the source clips, begun as those of kernel mean matching."""
    gamma = median_gamma(np.concatenate([source, target]))
    kernel, kappa = matching_terms(rbf(source, source, gamma), rbf(source, target, gamma))
    n, inner, classes = len(source), source @ source.T, np.unique(labels)
    slack = (np.sqrt(n) - 1) / np.sqrt(n)
    weights = importance(source, target, config.bound)
    for _ in range(config.rounds):
        loss = np.zeros(n)
        for c in classes:
            machine = _machine(inner, labels == c, weights, config.c)
            sign = np.where(labels == c, 1.0, -1.0)
            loss += np.maximum(0, 1 - sign * machine.decision_function(inner))
        before = weights
        linear = kappa - config.c / config.weight * loss
        weights = bounded_qp(kernel, linear, config.bound, n * (1 - slack), n * (1 + slack))
        if np.abs(weights - before).max() < 1e-3:
            break
    return weights


def _machine(kernel: Matrix, members: NDArray[np.bool_], weights: Matrix, c: float) -> Any:
    """One class against the rest."""
    from sklearn.svm import SVC

    return SVC(C=c, kernel="precomputed", class_weight="balanced").fit(
        kernel, members, sample_weight=floored(weights)
    )

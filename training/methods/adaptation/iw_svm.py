"""IW-SVM (Hassan, Damper, Niranjan; IEEE TASLP 2013): source clips weighted by how likely the target makes them."""

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
    median_gamma,
    rbf,
)
from mer_live.training.methods.adaptation.mean_matching import bounded_qp, matching_terms


@dataclass(frozen=True, slots=True)
class IwSvmConfig(AdaptationConfig):
    """Settings of `IwSvm`."""

    bound: float = 10.0
    """Largest weight of a clip, B of kernel mean matching."""


class IwSvm(Adapting):
    """Importance weights p_target(x) / p_source(x), estimated by kernel mean matching, scale each clip's penalty.

    The paper estimates the ratio in three ways (KMM, uLSIF, KLIEP) and finds them close; this is KMM
    (Huang et al., NIPS 2006): Gaussian kernel, epsilon = (sqrt(n) - 1) / sqrt(n), median width.
    """

    name: ClassVar[str] = "iw-svm"
    Config = IwSvmConfig

    def adapt(self, source: Matrix, labels: Labels, target: Matrix) -> Decision:
        """Weigh, then train the weighted linear SVM."""
        weights = importance(source, target, self.config.bound)
        return linear_svm(source, labels, self.config.c, floored(weights))


def importance(source: Matrix, target: Matrix, bound: float) -> Matrix:
    """Kernel mean matching: (N, D), (M, D) -> weights (N,) within 0 .. bound, mean about 1."""
    gamma = median_gamma(np.concatenate([source, target]))
    kernel, kappa = matching_terms(rbf(source, source, gamma), rbf(source, target, gamma))
    n = len(source)
    slack = (np.sqrt(n) - 1) / np.sqrt(n)
    return bounded_qp(kernel, kappa, bound, n * (1 - slack), n * (1 + slack))


def floored(weights: Matrix) -> Matrix:
    """At least a thousandth of the mean: no class may vanish from the training."""
    return np.maximum(weights, 1e-3 * max(float(weights.mean()), 1e-12))

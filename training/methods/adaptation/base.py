"""What the adaptation methods share: standardised vectors in, a decision for target clips out."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.types import CLASSES
from mer_live.training.learning.data import Inputs, Labelled, Probabilities, Unlabelled
from mer_live.training.methods.featured import Featured, FeaturedConfig
from mer_live.training.methods.features import FeatureName
from mer_live.training.methods.kernel_svm import KernelSvm

log = logging.getLogger(__name__)

Matrix: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int64]
Decision: TypeAlias = Callable[[Matrix], Probabilities]
"""Target clips' vectors (M, D) -> (M, 3)."""


@dataclass(frozen=True, slots=True)
class AdaptationConfig(FeaturedConfig):
    """Settings of every adaptation method.

    CDMER's published figures are the best over a grid of each method's parameters, scored on the target's
    labels; here parameters are fixed beforehand, since a target without labels cannot choose them.
    """

    feature: Literal["raw", FeatureName] = "lbp-top"
    c: float = 1.0
    """Penalty of the linear SVM."""


class Adapting(Featured, ABC):
    """Subclasses write `adapt`. Deterministic: the seed changes nothing.

    Vectors are standardised by the source's mean and deviation and have an expected squared length of 1.
    `predict` takes clips of the target domain. Without one (CDE, HDE, LOSO, holdout) the method is the
    linear SVM that it builds on.
    """

    Config = AdaptationConfig

    _decide: Decision | None = None

    @property
    def adapts(self) -> bool:
        """Return True: adapting is what these are for."""
        return True

    @abstractmethod
    def adapt(self, source: Matrix, labels: Labels, target: Matrix) -> Decision:
        """Source (N, D) with labels (N,), target (M, D) without -> how to decide on target clips."""

    def fit(self, train: Labelled, target_unlabelled: Unlabelled | None = None, seed: int = 0) -> None:
        """Standardise by the source, adapt to the target if there is one.

        Raises:
            ValueError: The target has fewer than two clips.
        """
        source = self.standardise(train.inputs, fit=True)
        if target_unlabelled is None:
            log.info("no target domain in this protocol: %s is a linear SVM", self.name)
            self._decide = linear_svm(source, train.labels, self.config.c, classes=len(train.classes))
            return
        target = self.standardise(target_unlabelled.inputs)
        if len(target) < 2:
            raise ValueError(f"adapting needs at least two target clips, there is {len(target)}")
        self._decide = self.adapt(source, train.labels, target)

    def predict(self, x: Inputs) -> Probabilities:
        """Return (N, C): an order, not calibrated probabilities."""
        if self._decide is None:
            raise RuntimeError("fit comes before predict")
        return self._decide(self.standardise(x))


def linear_svm(
    rows: Matrix, labels: Labels, c: float, weights: Matrix | None = None, *, classes: int = len(CLASSES)
) -> Decision:
    """Linear SVM on rows (N, D), each with a weight if given -> its decision on rows of the same kind.

    Target domains are CDMER's, whose classes are three.
    """
    svm = KernelSvm(c, classes).fit(rows @ rows.T, labels, weights)
    return lambda x: svm.predict(x @ rows.T)


def rbf(a: Matrix, b: Matrix, gamma: float) -> Matrix:
    """exp(-gamma |a - b|^2): (N, D), (M, D) -> (N, M)."""
    return np.asarray(np.exp(-gamma * np.maximum(squared_distances(a, b), 0)))


def squared_distances(a: Matrix, b: Matrix) -> Matrix:
    """(N, D), (M, D) -> (N, M)."""
    return np.asarray((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T)


def median_gamma(rows: Matrix) -> float:
    """One over the median squared distance between two of the rows (N, D)."""
    distances = squared_distances(rows, rows)[np.triu_indices(len(rows), 1)]
    return float(1 / max(np.median(distances), 1e-12))


def principal_directions(rows: Matrix, count: int) -> tuple[Matrix, Matrix]:
    """Mean (D,) and the ``count`` leading principal directions (D, d); fewer where the rows have fewer."""
    mean = rows.mean(0)
    _, values, right = np.linalg.svd(rows - mean, full_matrices=False)
    rank = int((values > 1e-10 * max(float(values[0]), 1e-300)).sum())
    return mean, right[: max(min(count, rank), 1)].T

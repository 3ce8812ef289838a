"""Linear, polynomial or RBF support vector machine on any array or handcrafted feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mer_live.training.learning.data import Inputs, Labelled, Probabilities, Unlabelled
from mer_live.training.methods.featured import Featured, FeaturedConfig
from mer_live.training.methods.kernel_svm import KernelSvm


@dataclass(frozen=True, slots=True)
class SvmConfig(FeaturedConfig):
    """Settings of `Svm`."""

    c: float = 1.0
    """Penalty of the soft margin."""
    kernel: Literal["rbf", "linear", "poly"] = "rbf"
    """"poly" is of degree 2, the baseline of the ATNet paper."""
    gamma: float = 0.0
    """Width of the kernel on standardised values; 0 takes 1 / (values x their variance)."""


class Svm(Featured):
    """Class-balanced; the seed changes nothing."""

    name: ClassVar[str] = "svm"
    weighs: ClassVar[bool] = True
    Config = SvmConfig

    def __init__(self, config: SvmConfig | None = None) -> None:
        super().__init__(config)
        self._svm = KernelSvm(self.config.c)
        self._rows: NDArray[np.float64] = np.zeros((0, 0))
        self._gamma = 0.0

    def fit(self, train: Labelled, target_unlabelled: Unlabelled | None = None, seed: int = 0) -> None:
        """Standardise and fit; with one class in training it always answers that class."""
        self._rows = self.standardise(train.inputs, fit=True)
        size = self._rows.shape[1]
        # The rows are standardised values / sqrt(size): inner products are size times smaller.
        self._gamma = self.config.gamma * size or 1 / (size * (float(self._rows.var()) or 1.0))
        self._svm = KernelSvm(self.config.c, len(train.classes)).fit(
            self._kernel(self._rows), train.labels, train.weights
        )

    def predict(self, x: Inputs) -> Probabilities:
        """Return the softmax of the decision values: an order, not a calibrated probability."""
        return self._svm.predict(self._kernel(self.standardise(x)))

    def _kernel(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, D) -> (N, training clips)."""
        inner: NDArray[np.float64] = x @ self._rows.T
        if self.config.kernel == "linear":
            return np.asarray(
                inner * self._rows.shape[1]
            )  # of the standardised values, without their 1 / sqrt(size)
        if self.config.kernel == "poly":
            return np.square(self._gamma * inner)
        square = (x * x).sum(1)[:, None] + (self._rows**2).sum(1)[None] - 2 * inner
        result: NDArray[np.float64] = np.exp(-self._gamma * np.maximum(square, 0))
        return result

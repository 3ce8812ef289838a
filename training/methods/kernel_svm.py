"""A class-balanced support vector machine on a kernel matrix: what every SVM here ends in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.types import CLASSES
from mer_live.training.learning.data import Probabilities

Matrix = NDArray[np.float64]


class KernelSvm:
    """One-against-one C-SVM (scikit-learn's SVC); with one class in training it always answers that class."""

    def __init__(self, c: float = 1.0, classes: int = len(CLASSES)) -> None:
        self.c = c
        self.classes = classes
        self._only: int | None = None
        self._model: Any = None

    def fit(self, kernel: Matrix, labels: NDArray[np.int64], weights: Matrix | None = None) -> KernelSvm:
        """Fit on the training clips' kernel (N, N), labels (N,) and, if given, a weight for each clip (N,)."""
        from sklearn.svm import SVC

        present = np.unique(labels if weights is None else labels[weights > 0])
        self._only = int(present[0]) if len(present) == 1 else None
        if self._only is None:
            # Precomputed: a matrix product; libsvm's own kernels are many times slower.
            self._model = SVC(C=self.c, kernel="precomputed", class_weight="balanced")
            self._model.fit(kernel, labels, sample_weight=weights)
        return self

    def predict(self, kernel: Matrix) -> Probabilities:
        """Kernel to the training clips (M, N) -> (M, C), the softmax of the decision values.

        An order, not a calibrated probability.
        """
        result = np.zeros((len(kernel), self.classes), np.float32)
        if self._only is not None:
            result[:, self._only] = 1
            return result
        if self._model is None:
            raise RuntimeError("fit comes before predict")
        values = np.asarray(self._model.decision_function(kernel))
        if values.ndim == 1:
            values = np.stack([-values, values], 1)
        result[:, self._model.classes_] = softmax(values)
        return result


def softmax(values: Matrix) -> Matrix:
    """(N, C) -> (N, C), rows of sum 1."""
    exp = np.exp(values - values.max(1, keepdims=True))
    return np.asarray(exp / exp.sum(1, keepdims=True))

"""Class-balanced RBF support vector machine on any array, standardised inside the fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.types import CLASSES
from mer_live.training.methods import Inputs, Labelled, Probabilities, Unlabelled


@dataclass(frozen=True, slots=True)
class SvmConfig:
    """Settings of `Svm`."""

    c: float = 1.0
    """Penalty of the soft margin."""
    kernel: Literal["rbf", "linear", "poly"] = "rbf"
    """"poly" is of degree 2, the baseline of the ATNet paper."""
    gamma: float = 0.0
    """Width of the kernel; 0 takes 1 / (features x variance)."""


class Svm:
    """All rows of all mapped inputs, flattened and put side by side.

    Mean and deviation come from the training clips of the fold alone. The seed changes nothing.
    """

    name: ClassVar[str] = "svm"
    adapts: ClassVar[bool] = False
    Config = SvmConfig

    def __init__(self, config: SvmConfig | None = None) -> None:
        self.config = config or SvmConfig()
        self._model: Any = None
        self._scaler: Any = None
        self._rows: NDArray[np.float64] = np.zeros((0, 0))
        self._gamma = 0.0
        self._only: int | None = None

    def wants(self) -> Mapping[str, tuple[int, ...] | None]:
        """Return nothing in particular: every input that the caller maps is used."""
        return {}

    def fit(self, train: Labelled, target_unlabelled: Unlabelled | None = None, seed: int = 0) -> None:
        """Fit scaler and SVM; with one class in training it always answers that class."""
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        if not train.inputs:
            raise ValueError("the SVM needs an array: name one with --input NAME=ARRAY")
        present = np.unique(train.labels)
        self._only = int(present[0]) if len(present) == 1 else None
        if self._only is not None:
            return
        svc = SVC(
            C=self.config.c,
            kernel="precomputed",  # a matrix product; libsvm's own kernels are many times slower
            class_weight="balanced",
            decision_function_shape="ovr",
        )
        flat = _flat(train.inputs)
        self._scaler = StandardScaler().fit(flat)
        self._rows = self._scaler.transform(flat)
        variance = float(self._rows.var()) or 1.0
        self._gamma = self.config.gamma or 1.0 / (self._rows.shape[1] * variance)
        self._model = svc.fit(self._kernel(self._rows), train.labels)

    def predict(self, x: Inputs) -> Probabilities:
        """Return the softmax of the decision values: an order, not a calibrated probability."""
        flat = _flat(x)
        result = np.zeros((len(flat), len(CLASSES)), np.float32)
        if self._only is not None:
            result[:, self._only] = 1
            return result
        if self._model is None:
            raise RuntimeError("fit comes before predict")
        values = np.asarray(self._model.decision_function(self._kernel(self._scaler.transform(flat))))
        if values.ndim == 1:
            values = np.stack([-values, values], 1)
        exp = np.exp(values - values.max(1, keepdims=True))
        result[:, self._model.classes_] = exp / exp.sum(1, keepdims=True)
        return result

    def _kernel(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, D) -> (N, training clips)."""
        inner: NDArray[np.float64] = x @ self._rows.T
        if self.config.kernel == "linear":
            return inner
        if self.config.kernel == "poly":
            return np.square(self._gamma * inner)
        square = (x * x).sum(1)[:, None] + (self._rows**2).sum(1)[None] - 2 * inner
        result: NDArray[np.float64] = np.exp(-self._gamma * np.maximum(square, 0))
        return result


def _flat(inputs: Inputs) -> NDArray[np.float64]:
    parts = [np.asarray(inputs[name], np.float64) for name in sorted(inputs)]
    return np.concatenate([part.reshape(len(part), -1) for part in parts], 1)

"""Methods on vectors: an array as stored, or a handcrafted feature of it, standardised inside the fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mer_live.training.learning.data import Inputs
from mer_live.training.learning.settings import parse_settings
from mer_live.training.methods.base import Method
from mer_live.training.methods.features import Feature, FeatureName, extract, make_feature


@dataclass(frozen=True, slots=True)
class FeaturedConfig:
    """Where the vectors come from."""

    feature: Literal["raw", FeatureName] = "raw"
    """"raw": every mapped input, flattened and put side by side."""
    options: tuple[str, ...] = ()
    """KEY=VALUE of the feature, such as ``--set options=grid=4,radius_t=2``."""


class Featured(Method):
    """Turns inputs into standardised vectors; mean and deviation are of the training clips of the fold."""

    Config: ClassVar[type[Any]] = FeaturedConfig
    deterministic: ClassVar[bool] = True

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._mean: NDArray[np.float64] | None = None
        self._scale: NDArray[np.float64] | None = None

    @property
    def feature(self) -> Feature | None:
        """The feature of the configuration; None for "raw"."""
        if self.config.feature == "raw":
            return None
        return make_feature(self.config.feature, parse_settings(self.config.options))

    def wants(self) -> Mapping[str, tuple[int, ...] | None]:
        """Return the feature's input; nothing in particular for "raw": every mapped input is used."""
        feature = self.feature
        return {} if feature is None else {feature.input: None}

    def extract(self, inputs: Inputs) -> Inputs:
        """Clip by clip, replace the inputs by the feature's vectors; `fit` and `predict` take either.

        The evaluation does this once for all folds: a vector depends on its clip alone.
        """
        feature = self.feature
        if feature is None or feature.name in inputs:
            return inputs
        return {feature.name: extract(feature, inputs[feature.input])}

    def standardise(self, inputs: Inputs, *, fit: bool = False) -> NDArray[np.float64]:
        """Inputs -> (N, D) of mean 0 and deviation 1 over the training clips; constant columns become 0.

        Rows are divided by sqrt(D), so that a row's expected squared length is 1, whatever the feature is:
        penalties and kernel widths mean the same for all of them.

        Raises:
            ValueError: There is no input, or ``fit`` was never asked for.
        """
        found = self.extract(inputs)
        if not found:
            raise ValueError(f"{type(self).__name__} needs an array: name one with --input NAME=ARRAY")
        parts = [np.asarray(found[name], np.float64) for name in sorted(found)]
        flat = np.concatenate([part.reshape(len(part), -1) for part in parts], 1)
        if fit:
            self._mean = flat.mean(0)
            deviation = flat.std(0)
            usable = deviation > 1e-9 * max(float(np.abs(flat).max()), 1e-300)
            self._scale = np.where(usable, 1 / np.where(usable, deviation, 1), 0) / np.sqrt(flat.shape[1])
        if self._mean is None or self._scale is None:
            raise RuntimeError("fit comes before predict")
        return (flat - self._mean) * self._scale

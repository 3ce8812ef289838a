"""What the evaluation needs of a method; one object is one model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.types import CLASSES
from mer_live.training.learning.data import Inputs, Labelled, Probabilities, Rows, Unlabelled


class Method(ABC):
    """Base of every method: three things to write, and defaults for what only some methods have.

    Attributes:
        config: Frozen dataclass with every setting.
        classes: What it decides between: those of the clips that it was trained on.
    """

    name: ClassVar[str]
    paper: ClassVar[str] = ""
    """What it comes from, as a card cites it."""
    Config: ClassVar[type[Any]]
    deterministic: ClassVar[bool] = False
    """The seed changes nothing: one seed says all."""
    weighs: ClassVar[bool] = False
    """Whether `fit` obeys ``Labelled.weights``."""
    stacks: ClassVar[bool] = False
    """Whether `fit_many` is faster than one `fit` after the other."""

    def __init__(self, config: Any = None) -> None:
        self.config = config if config is not None else self.Config()
        self.classes: tuple[str, ...] = CLASSES

    @property
    def adapts(self) -> bool:
        """Whether `fit` makes use of unlabelled target clips."""
        return False

    @property
    def epoch_choice(self) -> str:
        """How the epoch is chosen, for the report."""
        return "no epochs"

    @property
    def losses(self) -> list[dict[str, float]]:
        """Per epoch of the last `fit`: mean of each loss term, and ``total``; nothing where there are no epochs."""
        return []

    @abstractmethod
    def wants(self) -> Mapping[str, tuple[int, ...] | None]:
        """Return input name -> shape of one row as stored, or None for any shape."""

    @abstractmethod
    def fit(self, train: Labelled, target_unlabelled: Unlabelled | None = None, seed: int = 0) -> None:
        """Train from scratch; ``seed`` decides every random choice."""

    @abstractmethod
    def predict(self, x: Inputs) -> Probabilities:
        """Return (N, C) probabilities; no randomness, no augmentation."""

    def settled(self, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, Any]:
        """Return the settings that rows of these shapes decide, where they were left open."""
        return {}

    def extract(self, inputs: Inputs) -> Inputs:
        """Clip by clip, return what `fit` and `predict` take in place of ``inputs``; done once for all folds."""
        return inputs

    @classmethod
    def fit_many(
        cls,
        models: Sequence[Self],
        pool: Labelled,
        rows: Sequence[Rows],
        names: NDArray[np.int64],
        *,
        seeds: Sequence[int],
        order_seed: int,
    ) -> None:
        """Train many models, each on its own rows of the pool.

        Args:
            models: Untrained, of one configuration.
            pool: Union of all training sides.
            rows: Per model, the rows of the pool it is trained on; it is untouched by the others.
            names: Number of each clip of the pool in the whole experiment.
            seeds: One for each model.
            order_seed: One for all, where the models share the order of the clips.
        """
        for model, mine, seed in zip(models, rows, seeds, strict=True):
            model.fit(pool.take(mine), seed=seed)

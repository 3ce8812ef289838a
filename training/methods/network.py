"""What the methods that train one network share: seeding, batches, the inner split, prediction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from mer_live.engines.networks.base import Network
from mer_live.engines.representation.represent import network_input
from mer_live.engines.representation.specs import Flow3Spec, RepresentationSpec
from mer_live.training.learning.checkpoint import halved, here
from mer_live.training.learning.data import Inputs, Labelled, Probabilities, Rows, Unlabelled
from mer_live.training.learning.hold_back import disjoint_rows
from mer_live.training.learning.losses import Terms
from mer_live.training.learning.trainer import (
    EarlyStop,
    Fit,
    Solver,
    derive,
    epoch_batches,
    one_cycle,
    seeded,
    train_network,
)
from mer_live.training.methods.base import Method

Tensors = Mapping[str, Tensor]
"""Input of the network -> (B, ...)."""


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """Settings of the loop that every network method has."""

    epochs: int = 50
    batch: int = 32
    lr: float = 1e-3
    inner_fraction: float = 0.0
    """Above 0: hold this share of the *training* subjects back and keep the epoch with their lowest loss.
    At 0 the last epoch is taken."""
    patience: int = 10
    """Epochs without a lower inner loss before stopping; only with ``inner_fraction``."""
    solver: Literal["published", "one-cycle"] = "published"
    """published: the paper's optimiser and schedule. one-cycle: AdamW with peak rate ``lr`` and ``weight_decay``,
    a warm-up over a tenth of the steps and a cosine to zero, which needs far fewer epochs."""
    weight_decay: float = 0.0
    smoothing: float = 0.0
    """Of the labels; it keeps averaged probabilities from saturating."""
    bfloat16: bool = False
    """Products in bfloat16 while training, weights and scores in float32: about twice as fast on processors that
    have it, slower on others."""


class NetworkMethod(Method):
    """One network, trained from scratch by `fit`; subclasses give the network, the optimiser and the loss.

    Attributes:
        network: The trained network in eval mode; None before `fit`.
        report: Losses per epoch and seconds of the last `fit`.
        progress: Called after each epoch with its number, how many there are, and the mean loss.
    """

    weighs: ClassVar[bool] = True

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.network: Network | None = None
        self.report: Fit | None = None
        self.progress: Callable[[int, int, float], None] | None = None

    @property
    def draws_from_one(self) -> bool:
        """Whether batches and losses draw from the generator of `fit` alone, so that its state is the training's."""
        return True

    @property
    def epoch_choice(self) -> str:
        """How the epoch is chosen."""
        held = self.config.inner_fraction > 0
        return "inner subject-disjoint split" if held else "fixed last epoch"

    @property
    def losses(self) -> list[dict[str, float]]:
        """Of `report`."""
        return [] if self.report is None else self.report.losses

    @abstractmethod
    def build(self) -> Network:
        """Return a network with fresh weights, of as many outputs as there are `classes`."""

    @abstractmethod
    def specs(self) -> Mapping[str, RepresentationSpec]:
        """Return input name -> representation; the network calls the input as the representation is called."""

    @abstractmethod
    def published_solver(self, network: Network, steps: int, epochs: int) -> Solver:
        """Return the paper's optimiser and schedule for ``epochs`` epochs of ``steps`` batches."""

    def solver(self, network: Network, steps: int, epochs: int) -> Solver:
        """Return what ``config.solver`` asks for."""
        c = self.config
        if c.solver == "published":
            return self.published_solver(network, steps, epochs)
        return one_cycle(self.trained(network), c.lr, c.weight_decay, steps * epochs)

    def trained(self, network: Network) -> list[nn.Parameter]:
        """Return the parameters that the solver changes."""
        return [p for p in network.parameters() if p.requires_grad]

    def wants(self) -> Mapping[str, tuple[int, ...] | None]:
        """Return input name -> shape of one row."""
        return {name: spec.shape for name, spec in self.specs().items()}

    def epochs(self, steps: int) -> int:
        """Return how many epochs to train when one has ``steps`` batches."""
        return int(self.config.epochs)

    def batches(self, train: Labelled, rng: np.random.Generator) -> Iterable[Rows]:
        """Return the batches of one epoch."""
        return epoch_batches(len(train.labels), self.config.batch, rng)

    def augment(self, rows: Inputs, rng: np.random.Generator) -> Inputs:
        """Change a training batch, arrays as stored; never called by `predict`."""
        return rows

    def draw(self, train: Labelled, rows: Rows, rng: np.random.Generator) -> Inputs:
        """Return the arrays of a batch."""
        return {name: train.inputs[name][rows] for name in self.specs()}

    def terms(
        self, network: Network, x: Tensors, y: Tensor, target: Tensors | None
    ) -> dict[str, tuple[float, Tensor]]:
        """Return the loss terms of a batch; cross entropy unless a method adds to it."""
        with self.half():
            logits = network(*network.ordered(x))
        return {"cross_entropy": self.cross_entropy(logits, y)}

    def half(self) -> torch.autocast:
        """Products in bfloat16 inside, where ``config.bfloat16`` asks for it, and on a GPU."""
        return halved(self.config.bfloat16)

    def cross_entropy(self, logits: Tensor, y: Tensor) -> tuple[float, Tensor]:
        """Return the term of weight 1; logits (B, C), labels (B,), smoothed by ``config.smoothing``."""
        return 1.0, F.cross_entropy(logits.float(), y, label_smoothing=self.config.smoothing)

    def fit(self, train: Labelled, target_unlabelled: Unlabelled | None = None, seed: int = 0) -> None:
        """Train from scratch; ``seed`` decides initial weights, order, augmentation and dropout."""
        self.classes = train.classes
        rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
        held: Labelled | None = None
        if self.config.inner_fraction > 0:
            back = _held_back(train, self.config.inner_fraction, seed)
            held, train = train.take(np.flatnonzero(back)), train.take(np.flatnonzero(~back))
        if len(train.labels) < 2:
            raise ValueError("a network needs at least two training clips")
        target = self._target_rows(target_unlabelled, rng)
        with seeded(derive(seed, 0)):
            network = self.build()
        labels = torch.from_numpy(np.ascontiguousarray(train.labels))

        def terms(rows: Rows) -> Terms:
            x = on(here(), self.tensors(self.augment(self.draw(train, rows, rng), rng)))
            other = None
            if target is not None and target_unlabelled is not None:
                chosen = next(target)
                arrays = {name: target_unlabelled.inputs[name][chosen] for name in self.specs()}
                other = on(here(), self.tensors(self.augment(arrays, rng)))
            return self.terms(network, x, labels[rows].to(here()), other)

        def held_loss() -> float:
            assert held is not None
            p = self._logits(network, held.inputs)
            return float(F.cross_entropy(p, torch.from_numpy(held.labels)))

        def tell(epoch: int, losses: Mapping[str, float]) -> None:
            if self.progress is not None:
                self.progress(epoch, epochs, losses["total"])

        def batches(rng: np.random.Generator) -> Iterable[Rows]:
            if train.weights is None:
                return self.batches(train, rng)
            shown = _drawn(train, rng)
            labels, subjects = train.labels[shown], train.subjects[shown]
            return [shown[rows] for rows in self.batches(Labelled({}, labels, subjects), rng)]

        steps = max(1, len(list(batches(np.random.default_rng(0)))))
        epochs = self.epochs(steps)
        solver = self.solver(network, steps, epochs)
        with seeded(derive(seed, 2)):
            self.report = train_network(
                network,
                solver,
                lambda: batches(rng),
                terms,
                epochs=epochs,
                early_stop=EarlyStop(held_loss, self.config.patience) if held is not None else None,
                progress=tell,
                generators=(rng,) if target is None and self.draws_from_one else None,
            )
        self.network = network

    def predict(self, x: Inputs) -> Probabilities:
        """Return (N, C) softmax outputs."""
        if self.network is None:
            raise RuntimeError("fit comes before predict")
        probabilities: Probabilities = self._logits(self.network, x).softmax(1).numpy()
        return probabilities

    def tensors(self, arrays: Inputs) -> dict[str, Tensor]:
        """Arrays as stored -> the network's inputs by its own names, through the one place that scales."""
        specs = self.specs().items()
        return {spec.name: torch.from_numpy(_scaled(arrays[name], spec)) for name, spec in specs}

    def _logits(self, network: Network, x: Inputs, batch: int = 64) -> Tensor:
        network.eval()
        place = next(network.parameters()).device
        names = list(self.specs())
        starts = range(0, len(x[names[0]]), batch)
        with torch.no_grad():
            parts = [
                network(
                    *network.ordered(on(place, self.tensors({n: x[n][a : a + batch] for n in names})))
                ).cpu()
                for a in starts
            ]
        return torch.cat(parts) if parts else torch.zeros(0, len(self.classes))

    def _target_rows(self, target: Unlabelled | None, rng: np.random.Generator) -> Any:
        return None


def _drawn(train: Labelled, rng: np.random.Generator) -> Rows:
    """The clips of one epoch: of those of a class and a weight below 1 that share, drawn anew each time."""
    assert train.weights is not None
    shown = np.ones(len(train.labels), bool)
    for c in np.unique(train.labels):
        for weight in np.unique(train.weights[train.labels == c]):
            alike = np.flatnonzero((train.labels == c) & (train.weights == weight))
            shown[rng.permutation(alike)[round(weight * len(alike)) :]] = False
    return np.flatnonzero(shown)


def _held_back(train: Labelled, fraction: float, seed: int) -> NDArray[np.bool_]:
    """(N,) True for the subjects that decide when to stop: among clips of full weight alone."""
    full = np.ones(len(train.labels), bool) if train.weights is None else train.weights >= 1
    back = np.zeros(len(train.labels), bool)
    back[full] = disjoint_rows(train.subjects[full], train.labels[full], fraction, seed)
    return back


def on(device: torch.device, tensors: Tensors) -> dict[str, Tensor]:
    """The tensors on ``device``; the same ones where they are there."""
    return {name: tensor.to(device) for name, tensor in tensors.items()}


def _scaled(array: NDArray[Any], spec: RepresentationSpec) -> NDArray[np.float32]:
    # A float image, whatever it shows, is in units of its own and not divided by 255.
    if array.dtype.kind == "f" and spec.name in ("motion", "flow3"):
        spec = Flow3Spec(size=spec.size, dtype="float32")
    elif isinstance(spec, Flow3Spec):
        spec = replace(spec, dtype="uint8")
    return network_input(array, spec)

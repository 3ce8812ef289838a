"""The one training loop: epochs over batches, a fixed last epoch, and nothing of the test fold in reach."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mer_live.training.learning.checkpoint import Checkpoint, here
from mer_live.training.learning.data import Rows
from mer_live.training.learning.losses import Terms, assert_every_term_acts, total


@dataclass(frozen=True, slots=True)
class Fit:
    """What a training run reports of itself."""

    epochs: int
    """Epochs that the returned weights have seen."""
    losses: list[dict[str, float]] = field(default_factory=list)
    """Per epoch: mean of each unweighted loss term, and ``total``."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Solver:
    """An optimiser and how its rate changes."""

    optimizer: torch.optim.Optimizer
    """Over the parameters that are trained."""
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None
    every: Literal["epoch", "step"] = "epoch"
    """When the scheduler steps."""


def one_cycle(parameters: Iterable[nn.Parameter], lr: float, weight_decay: float, steps: int) -> Solver:
    """AdamW (Loshchilov, Hutter, ICLR 2019) with a warm-up over a tenth of ``steps`` and a cosine to zero."""
    adam = torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, lr, total_steps=steps + 1, pct_start=0.1)
    return Solver(adam, schedule, "step")


@dataclass(frozen=True, slots=True)
class EarlyStop:
    """Stop on an inner split of the *training* subjects; see `protocols.inner_split`."""

    loss: Callable[[], float]
    """Mean loss on the held-back training subjects, network already in eval mode."""
    patience: int = 10


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make torch's global generator a function of ``seed`` inside, and leave it untouched outside."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def derive(seed: int, *path: int) -> int:
    """Return a seed for one purpose; all randomness of a run depends on the one seed it was given."""
    return int(np.random.SeedSequence([seed, *path]).generate_state(1, np.uint32)[0])


def epoch_batches(count: int, size: int, rng: np.random.Generator) -> list[Rows]:
    """Shuffle 0..count-1 and cut it; a last batch of one joins its neighbour (batch norm needs two)."""
    order = rng.permutation(count)
    cuts = list(range(0, count, size))
    if len(cuts) > 1 and count - cuts[-1] < 2:
        cuts.pop()
    return [order[a:b] for a, b in zip(cuts, [*cuts[1:], count], strict=True)]


def endless_batches(count: int, size: int, rng: np.random.Generator) -> Iterator[Rows]:
    """Yield batches of exactly ``size`` <= ``count`` for ever; each pass over the rows is shuffled anew."""
    while True:
        order = rng.permutation(count)
        for a in range(0, count - size + 1, size):
            yield order[a : a + size]


def oversample(labels: NDArray[np.int64], rng: np.random.Generator) -> Rows:
    """Return row numbers in which every class present is as frequent as the largest one."""
    classes, counts = np.unique(labels, return_counts=True)
    rows = [np.arange(len(labels))]
    for c, n in zip(classes, counts, strict=True):
        rows.append(rng.choice(np.flatnonzero(labels == c), counts.max() - n))
    return np.concatenate(rows).astype(np.int64)


def train_network(
    network: nn.Module,
    solver: Solver,
    batches: Callable[[], Iterable[Rows]],
    terms: Callable[[Rows], Terms],
    *,
    epochs: int,
    early_stop: EarlyStop | None = None,
    progress: Callable[[int, dict[str, float]], None] | None = None,
    generators: Sequence[np.random.Generator] | None = None,
) -> Fit:
    """Train in place; the weights of the last epoch stay, whatever they score anywhere.

    Args:
        network: Trained in place, left in eval mode.
        solver: Optimiser over the network's parameters, and its schedule.
        batches: Called once per epoch; yields row numbers of the training set.
        terms: Rows -> named loss terms; called with the network in train mode.
        epochs: Number of passes.
        early_stop: Keep the weights with the lowest loss on inner training subjects instead.
        progress: Called after each epoch with its number (from 1) and mean losses.
        generators: All that ``batches`` and ``terms`` draw from, which lets an interrupted training go on; None
            where they draw from others.

    The network is trained on `compute.here` and comes back to the CPU.

    Raises:
        SilentLossError: A weighted term has no gradient in the very first step.
        FloatingPointError: The loss became NaN or infinite; names the epoch.
    """
    begin = time.perf_counter()
    network.to(here())
    checkpoint = Checkpoint(network, solver.optimizer, solver.scheduler, generators)
    kept = checkpoint.load()
    history: list[dict[str, float]] = kept.get("history", [])
    best, best_epoch, best_state = kept.get("best", (math.inf, epochs, None))
    first = not kept
    left = () if kept.get("finished") else range(kept.get("epoch", 0) + 1, epochs + 1)
    for epoch in left:
        network.train()
        sums: dict[str, float] = {}
        steps = 0
        for rows in batches():
            values = terms(rows)
            if first:
                assert_every_term_acts(values, network.parameters())
                first = False
            loss = total(values)
            solver.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            solver.optimizer.step()
            if solver.scheduler is not None and solver.every == "step":
                solver.scheduler.step()
            steps += 1
            for name, value in [*((n, v) for n, (_, v) in values.items()), ("total", loss)]:
                sums[name] = sums.get(name, 0.0) + float(value.detach())
        if solver.scheduler is not None and solver.every == "epoch":
            solver.scheduler.step()
        means = {name: value / max(steps, 1) for name, value in sums.items()}
        if not math.isfinite(means.get("total", 0.0)):
            raise FloatingPointError(
                f"the loss is {means['total']} in epoch {epoch}: lower the learning rate"
            )
        history.append(means)
        if progress is not None:
            progress(epoch, means)
        if early_stop is not None:
            network.eval()
            with torch.no_grad():
                held = early_stop.loss()
            if held < best:
                best, best_epoch, best_state = held, epoch, copy.deepcopy(network.state_dict())
            elif epoch - best_epoch >= early_stop.patience:
                break
        checkpoint.save(epoch, history=history, best=(best, best_epoch, best_state))
    if left:
        checkpoint.save(epoch, finished=True, history=history, best=(best, best_epoch, best_state))
    if best_state is not None:
        network.load_state_dict(best_state)
    network.to("cpu").eval()
    return Fit(best_epoch, history, time.perf_counter() - begin)

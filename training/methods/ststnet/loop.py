"""The epochs of a stack: one order of clips for all folds, each fold leaving its own clips out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mer_live.engines.networks.ststnet import StstnetNetwork
from mer_live.training.learning.data import Rows
from mer_live.training.methods.ststnet.stack import Batch, StstnetStack


def train_stack(
    networks: Sequence[StstnetNetwork],
    x: Tensor,
    labels: Tensor,
    rows: Sequence[Rows],
    names: NDArray[np.int64],
    *,
    order_seed: int,
    seeds: Sequence[int],
    epochs: int,
    batch: int,
    lr: float,
    make: Callable[[Sequence[StstnetNetwork], Tensor, float], StstnetStack] = StstnetStack,
) -> tuple[list[StstnetNetwork], list[list[float]]]:
    """Train network k on ``rows[k]`` of the pool.

    Args:
        networks: F fresh networks, changed in place.
        x: (N, 3, S, S) pool.
        labels: (N,) int64.
        rows: F arrays of row numbers; a network's result depends on its own rows alone.
        names: (N,) number of each clip in the whole experiment; with ``order_seed`` it decides the order.
        order_seed: Shared by all folds of a run.
        seeds: F seeds, of the dropout.
        epochs: Passes over each network's rows.
        batch: Samples per step.
        lr: Adam's rate.
        make: What steps the networks; the benchmark puts torch's own layers in its place.

    Returns:
        The networks in eval mode, and per network the mean loss of each epoch.

    Raises:
        FloatingPointError: A loss became NaN or infinite.
    """
    stack = make(networks, x, lr)
    drops = [np.random.Generator(np.random.SFC64(np.random.SeedSequence([s, 2]))) for s in seeds]
    cells = stack.side**2 * stack.channels
    history: list[list[float]] = [[] for _ in networks]
    for epoch in range(1, epochs + 1):
        keys = priorities(names, order_seed, epoch)
        cut = [_cut(mine[np.argsort(keys[mine], kind="stable")], batch) for mine in rows]
        sums = [0.0] * len(networks)
        for s in range(max(map(len, cut))):
            step: list[Batch | None] = []
            for k, mine in enumerate(cut):
                if s >= len(mine):
                    step.append(None)
                    continue
                chosen = np.sort(mine[s])
                kept = _dropout(drops[k], len(chosen) * cells, stack.keep)
                step.append(Batch(chosen, labels[torch.from_numpy(chosen)], kept))
            for k, loss in enumerate(stack.step(step)):
                if step[k] is not None:
                    sums[k] += loss / len(cut[k])
        for k, value in enumerate(sums):
            if not np.isfinite(value):
                raise FloatingPointError(f"the loss is not finite in epoch {epoch}: lower the learning rate")
            history[k].append(value)
    return stack.unpack(), history


def priorities(names: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.float64]:
    """(N,) sort keys: a clip's key depends on seed, epoch and its own number, not on who else is there."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, epoch, 3]))
    return rng.random(int(names.max()) + 1)[names]


def _cut(order: Rows, size: int) -> list[Rows]:
    """Cut into batches; a last one of a single sample joins its neighbour, as in the plain loop."""
    cuts = list(range(0, len(order), size))
    if len(cuts) > 1 and len(order) - cuts[-1] < 2:
        cuts.pop()
    return [order[a:b] for a, b in zip(cuts, [*cuts[1:], len(order)], strict=True)]


def _dropout(rng: np.random.Generator, count: int, keep: float) -> NDArray[np.float32] | None:
    if keep >= 1:
        return None
    if keep == 0.5:  # one random bit per value
        bits = np.unpackbits(np.frombuffer(rng.bytes(-(-count // 8)), np.uint8), count=count)
        return bits.astype(np.float32) * np.float32(2)
    return (rng.random(count, np.float32) < keep).astype(np.float32) / np.float32(keep)

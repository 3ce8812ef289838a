"""Many STSTNets trained side by side: one stack of parameters, one hand-written step, many folds.

The plain loop spends its time on memory, not arithmetic: three convolutions, three batch norms and three
poolings read and write 12 MB maps in a layout that vectorises badly. Here the three streams are one
matrix product on patches that are cut once for all folds, in the order in which max pooling reads them;
a chunk of samples stays in the cache; and batch norm's sums are read off the products that its gradient
needs anyway. Weights, sample order and batches of a fold are those of `methods.ststnet` with the same
seed; only the dropout bits differ. A fold's arithmetic never looks at another's, so grouping changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mer_live.engines.networks.ststnet import Ststnet as Network
from mer_live.training.trainer import Rows, epoch_batches

_CHUNK = 8
_TIE = 2e-6
"""Where a window's values are equal, as on an unmoving background, the last one wins by this much."""
_BETAS, _EPS = (0.9, 0.999), 1e-8


@dataclass(frozen=True, slots=True)
class Patches:
    """What every convolution output sees, ordered for max pooling."""

    rows: Tensor
    """(N, L, 29): 27 input values, 1 for the bias, a tie-break; L = 9 Q^2 window slots, then positions that
    no window covers. Slots that lie outside the map are all zero, so their output is 0 and counts nowhere."""
    inside: Tensor
    """(9, Q^2) bool, slot lies inside the map."""
    side: int
    """Q, side of the pooled map."""
    positions: int
    """Convolution outputs per sample."""


def cut_patches(x: Tensor, padding: int) -> Patches:
    """(N, 3, S, S) -> patches of a 3x3 convolution under 3x3/3 max pooling with padding 1."""
    n, _, size, _ = x.shape
    out = size + 2 * padding - 2
    side = (out - 1) // 3 + 1
    flat = nn.functional.unfold(x, 3, padding=padding).transpose(1, 2)  # (N, out^2, 27)
    q, d = np.arange(side) * 3 - 1, np.arange(3)
    line = d[:, None] + q[None]  # (3, Q) row (or column) of offset d in window q
    row, column = line[:, None, :, None], line[None, :, None, :]
    there = (row >= 0) & (row < out) & (column >= 0) & (column < out)  # (3, 3, Q, Q)
    place = np.where(there, row * out + column, 0).reshape(-1)
    inside = there.reshape(-1)
    rest = np.setdiff1d(np.arange(out * out), place[inside])
    take = np.concatenate([place, rest])
    real = np.concatenate([inside, np.ones(len(rest), bool)])
    rows = torch.zeros(n, len(take), 29)
    rows[:, :, :27] = flat[:, torch.from_numpy(take)]
    rows[:, :, 27] = 1
    rows[:, : len(place), 28] = torch.arange(9).repeat_interleave(side * side) * _TIE
    rows[:, torch.from_numpy(~real)] = 0
    return Patches(rows, torch.from_numpy(inside.reshape(9, -1)), side, out * out)


class StstnetStack:
    """F networks of the same shape and their Adam state.

    Flat parameters (F, P): convolution (C, 28) with its bias, batch norm scale and shift (C,), classifier
    (3, C, H, H) and its bias (3,); C = 16 is 3 + 5 + 8.
    """

    def __init__(self, networks: Sequence[Network], x: Tensor, lr: float) -> None:
        """Take the networks' weights; ``x`` (N, 3, S, S) is the pool that row numbers index."""
        self.networks = list(networks)
        self.lr = lr
        first = networks[0]
        conv: Any = first.streams[0][0]  # type: ignore[index]
        norm: Any = first.streams[0][2]  # type: ignore[index]
        self.keep = 1.0 - float(first.config.dropout)
        self.patches = cut_patches(x, int(conv.padding[0]))
        self.eps, self.momentum = float(norm.eps), float(norm.momentum)
        self.channels = sum(first.config.widths)
        self.half = self.patches.side // 2
        sizes = [self.channels * 28, self.channels, self.channels, 3 * self.channels * self.half**2, 3]
        self.cuts = np.cumsum([0, *sizes]).tolist()
        self.flat = torch.stack([_pack(n) for n in networks])
        self.first_moment, self.second_moment = torch.zeros_like(self.flat), torch.zeros_like(self.flat)
        self.steps = torch.zeros(len(networks), 1)
        self.running = torch.zeros(len(networks), 2, self.channels)
        self.running[:, 1] = 1
        chunk, slots = _CHUNK, self.patches.rows.shape[1]
        self._x = torch.empty(chunk, slots, 29)
        self._mask = torch.empty(chunk, slots, self.channels)
        self._difference = torch.empty(chunk, 9, self.patches.side**2, self.channels)
        self._sparse = torch.empty_like(self._difference)

    def step(self, batches: Sequence[tuple[Rows, Tensor, NDArray[np.float32] | None] | None]) -> list[float]:
        """One Adam step of every network that has a batch: (rows, labels, dropout mask or None).

        Returns:
            Mean cross entropy of each; NaN where it had no batch.
        """
        gradient = torch.zeros_like(self.flat)
        losses = [float("nan")] * len(batches)
        active = torch.tensor([[1.0] if b is not None else [0.0] for b in batches])
        for k, batch in enumerate(batches):
            if batch is not None:
                losses[k] = self._gradient(k, *batch, gradient[k])
        # Adam, each network with its own count of steps.
        self.steps += active
        t = self.steps.clamp_min(1)
        beta1, beta2 = _BETAS
        m, v = self.first_moment, self.second_moment
        m.copy_(torch.where(active > 0, beta1 * m + (1 - beta1) * gradient, m))
        v.copy_(torch.where(active > 0, beta2 * v + (1 - beta2) * gradient * gradient, v))
        update = (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + _EPS)
        self.flat -= self.lr * active * update
        return losses

    def unpack(self) -> list[Network]:
        """Write the weights and running statistics back; the networks are left in eval mode."""
        for k, network in enumerate(self.networks):
            _unpack(network, self._parts(k), self.running[k], int(self.steps[k, 0]))
            network.eval()
        return self.networks

    def _parts(self, k: int, source: Tensor | None = None) -> list[Tensor]:
        flat = (self.flat if source is None else source)[k] if source is None else source
        shapes = [(-1, 28), (-1,), (-1,), (3, self.channels, self.half, self.half), (3,)]
        spans = zip(self.cuts, self.cuts[1:], strict=False)
        return [flat[a:b].view(shape) for (a, b), shape in zip(spans, shapes, strict=True)]

    def _gradient(
        self, k: int, rows: Rows, labels: Tensor, kept: NDArray[np.float32] | None, into: Tensor
    ) -> float:
        """Cross entropy of network k on these rows; its gradient goes into the flat vector ``into``."""
        weight, scale, shift, fc, fc_bias = self._parts(k)
        p, c = self.patches, self.channels
        b, q2 = len(rows), p.side**2
        column = torch.cat([weight.T, torch.ones(1, c)])  # (29, C)
        index = torch.from_numpy(rows)
        falling = bool((scale < 0).any())
        sign = torch.where(scale < 0, -1.0, 1.0)
        maps = torch.empty(b, p.rows.shape[1], c)
        top = torch.empty(b, q2, c)
        on, through = torch.zeros(c, 29, dtype=torch.float64), torch.zeros(c, 29, dtype=torch.float64)
        for a in range(0, b, _CHUNK):
            x = self._chunk(index[a : a + _CHUNK])
            r, mask = maps[a : a + _CHUNK], self._mask[: len(x)]
            flat_x, flat_r = x.view(-1, 29), r.view(-1, c)
            torch.mm(flat_x, column, out=flat_r)
            r.relu_()
            torch.amax(self._windows(r, sign if falling else None), 1, out=top[a : a + _CHUNK])
            torch.sign(r, out=mask)
            on += mask.view(-1, c).T @ flat_x  # sum of patches where the ReLU is open
            through += flat_r.T @ flat_x  # sum of patches times output
        n = b * p.positions
        mean = through[:, 27] / n
        # The output is weight x patch wherever it is not 0, so its square sums to weight x through.
        variance = ((through * column.T.double()).sum(1) / n - mean * mean).clamp_min(0)
        self._track(k, mean, variance, n)
        deviation = (variance + self.eps).rsqrt()
        value = top * sign if falling else top  # (B, Q^2, C) output at the top of each window
        level = (value - mean.float()).mul_(deviation.float())
        pooled = level * scale + shift
        if kept is not None:
            drop = torch.from_numpy(kept).view_as(pooled)
            pooled *= drop
        wide = self._spread(fc)  # (3, Q^2 C)
        values = pooled.view(b, -1)
        logits = torch.addmm(fc_bias, values, wide.T)
        log_p = logits.log_softmax(1)
        loss = -float(log_p.gather(1, labels[:, None]).mean())
        d_logits = log_p.exp()
        d_logits[torch.arange(b), labels] -= 1
        d_logits /= b
        g_weight, g_scale, g_shift, g_fc, g_bias = self._parts(k, into)
        g_bias.copy_(d_logits.sum(0))
        g_fc.copy_(self._gather(d_logits.T @ values))
        d_top = (d_logits @ wide).view(b, q2, c)
        if kept is not None:
            d_top *= drop
        g_shift.copy_(d_top.sum((0, 1)))
        g_scale.copy_((d_top * level).sum((0, 1)))
        # Batch norm: dr = scale / deviation (dy - mean dy - xhat mean(dy xhat)); dy is sparse, the rest dense.
        d_top = torch.ops.aten.threshold_backward(d_top, value, 0.0)
        sparse = self._scatter(index, maps, top, d_top, sign if falling else None)
        dense = (
            on * (g_shift / n)[:, None] + (through - mean[:, None] * on) * (deviation * g_scale / n)[:, None]
        )
        whole = (scale * deviation)[:, None] * (sparse - dense)
        g_weight.copy_(whole[:, :28])
        return loss

    def _chunk(self, index: Tensor) -> Tensor:
        x = self._x[: len(index)]
        torch.index_select(self.patches.rows, 0, index, out=x)
        return x

    def _windows(self, maps: Tensor, sign: Tensor | None) -> Tensor:
        """(B, L, C) -> (B, 9, Q^2, C); where a channel's scale is negative, its lowest value is the top."""
        q2 = self.patches.side**2
        windows = maps[:, : 9 * q2].view(len(maps), 9, q2, -1)
        if sign is None:
            return windows  # slots outside the map hold 0, which no maximum of a ReLU falls below
        outside = ~self.patches.inside[None, :, :, None]
        return (windows * sign).masked_fill(outside, -torch.inf)

    def _scatter(
        self, index: Tensor, maps: Tensor, top: Tensor, d_top: Tensor, sign: Tensor | None
    ) -> Tensor:
        """Sum over windows of the gradient times the patch that was the maximum: (C, 29)."""
        c, q2 = self.channels, self.patches.side**2
        total = torch.zeros(c, 29, dtype=torch.float64)
        for a in range(0, len(index), _CHUNK):
            x = self._chunk(index[a : a + _CHUNK])
            n = len(x)
            windows = self._windows(maps[a : a + n], sign)
            difference, sparse = self._difference[:n], self._sparse[:n]
            torch.sub(windows, top[a : a + n, None], out=difference)
            spread = d_top[a : a + n, None].expand(n, 9, q2, c)
            torch.ops.aten.threshold_backward.grad_input(spread, difference, -1e-30, grad_input=sparse)
            total += torch.bmm(sparse.view(n, 9 * q2, c).transpose(1, 2), x[:, : 9 * q2]).sum(0)
        return total

    def _spread(self, fc: Tensor) -> Tensor:
        """Classifier after 2x2 mean pooling, written as one before it: (3, C, H, H) -> (3, Q^2 C)."""
        side, half = self.patches.side, self.half
        wide = torch.zeros(3, side, side, self.channels)
        up = fc.repeat_interleave(2, 2).repeat_interleave(2, 3).permute(0, 2, 3, 1)
        wide[:, : 2 * half, : 2 * half] = up / 4
        return wide.view(3, -1)

    def _gather(self, wide: Tensor) -> Tensor:
        """The transpose of `_spread`: (3, Q^2 C) -> (3, C, H, H)."""
        side, half = self.patches.side, self.half
        maps = wide.view(3, side, side, self.channels)[:, : 2 * half, : 2 * half]
        return maps.reshape(3, half, 2, half, 2, self.channels).sum((2, 4)).permute(0, 3, 1, 2) / 4

    def _track(self, k: int, mean: Tensor, variance: Tensor, n: int) -> None:
        now = torch.stack([mean, variance * n / (n - 1)]).float()
        self.running[k].lerp_(now, self.momentum)


def train_stack(
    networks: Sequence[Network],
    x: Tensor,
    labels: Tensor,
    rows: Sequence[Rows],
    seeds: Sequence[int],
    *,
    epochs: int,
    batch: int,
    lr: float,
) -> tuple[list[Network], list[list[float]]]:
    """Train network k on ``rows[k]`` of the pool with the randomness of ``seeds[k]``.

    Args:
        networks: F fresh networks, changed in place.
        x: (N, 3, S, S) pool.
        labels: (N,) int64.
        rows: F arrays of row numbers; a network's result depends on its own rows alone.
        seeds: F seeds.
        epochs: Passes over each network's rows.
        batch: Samples per step.
        lr: Adam's rate.

    Returns:
        The networks in eval mode, and per network the mean loss of each epoch.

    Raises:
        FloatingPointError: A loss became NaN or infinite.
    """
    stack = StstnetStack(networks, x, lr)
    orders = [np.random.default_rng(np.random.SeedSequence([s, 1])) for s in seeds]
    drops = [np.random.Generator(np.random.SFC64(np.random.SeedSequence([s, 2]))) for s in seeds]
    cells = stack.patches.side**2 * stack.channels
    history: list[list[float]] = [[] for _ in networks]
    for epoch in range(1, epochs + 1):
        cut = [epoch_batches(len(r), batch, rng) for r, rng in zip(rows, orders, strict=True)]
        sums = [0.0] * len(networks)
        for s in range(max(map(len, cut))):
            step: list[tuple[Rows, Tensor, NDArray[np.float32] | None] | None] = []
            for k, mine in enumerate(cut):
                if s >= len(mine):
                    step.append(None)
                    continue
                # Order inside a batch does not matter; ascending rows are read faster.
                chosen = np.sort(rows[k][mine[s]])
                kept = _dropout(drops[k], len(chosen) * cells, stack.keep)
                step.append((chosen, labels[torch.from_numpy(chosen)], kept))
            for k, loss in enumerate(stack.step(step)):
                if step[k] is not None:
                    sums[k] += loss / len(cut[k])
        for k, value in enumerate(sums):
            if not np.isfinite(value):
                raise FloatingPointError(f"the loss is not finite in epoch {epoch}: lower the learning rate")
            history[k].append(value)
    return stack.unpack(), history


def _dropout(rng: np.random.Generator, count: int, keep: float) -> NDArray[np.float32] | None:
    if keep >= 1:
        return None
    if keep == 0.5:  # one random bit per value
        bits = np.unpackbits(np.frombuffer(rng.bytes(-(-count // 8)), np.uint8), count=count)
        return bits.astype(np.float32) * np.float32(2)
    return (rng.random(count, np.float32) < keep).astype(np.float32) / np.float32(keep)


def _pack(network: Network) -> Tensor:
    streams: list[Any] = list(network.streams)
    weight = torch.cat([torch.cat([s[0].weight.flatten(1), s[0].bias[:, None]], 1) for s in streams])
    norm = [torch.cat([s[2].weight for s in streams]), torch.cat([s[2].bias for s in streams])]
    parts = [weight, *norm, network.classifier.weight, network.classifier.bias]
    return torch.cat([p.detach().flatten() for p in parts]).clone()


@torch.no_grad()
def _unpack(network: Network, parts: Sequence[Tensor], running: Tensor, steps: int) -> None:
    weight, scale, shift, fc, bias = parts
    at = 0
    streams: list[Any] = list(network.streams)
    for conv, norm in ((s[0], s[2]) for s in streams):
        mine = slice(at, at + conv.out_channels)
        conv.weight.copy_(weight[mine, :27].reshape(conv.weight.shape))
        conv.bias.copy_(weight[mine, 27])
        norm.weight.copy_(scale[mine])
        norm.bias.copy_(shift[mine])
        norm.running_mean.copy_(running[0, mine])
        norm.running_var.copy_(running[1, mine])
        norm.num_batches_tracked.fill_(steps)
        at = mine.stop
    network.classifier.weight.copy_(fc.reshape(network.classifier.weight.shape))
    network.classifier.bias.copy_(bias)

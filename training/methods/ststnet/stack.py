"""Many STSTNets trained side by side: one stack of parameters, one hand-written step, many folds.

The plain loop spends its time on memory, not on arithmetic: three convolutions, three batch norms and three
poolings read and write 10 MB maps in a layout that vectorises badly. Here

- all streams of all folds are one matrix product per clip, on patches that are cut once for all folds, in
  the order in which max pooling reads them, so that a clip's outputs never leave the cache;
- the folds go through the clips in one order, so that a clip is read once for all of them;
- the sums of batch norm are read off the products that its gradient needs anyway.

Initial weights of a fold are those of `methods.ststnet` with the same seed; order and dropout bits are drawn
otherwise, by seed, clip and fold alone: neither the other folds of a stack nor its size change a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mer_live.engines.networks.ststnet import StstnetNetwork
from mer_live.training.learning.data import Rows
from mer_live.training.methods.ststnet.patches import TIE, Patches, cut_patches
from mer_live.training.methods.ststnet.weights import pack, unpack

_BETAS, _EPS = (0.9, 0.999), 1e-8


@dataclass(frozen=True, slots=True)
class Batch:
    """What one network sees in one step."""

    rows: Rows
    """(B,) ascending row numbers of the pool."""
    labels: Tensor
    """(B,) int64."""
    kept: NDArray[np.float32] | None = None
    """(B x Q^2 x C) dropout factors, None without dropout."""


class _Work:
    """Memory of a step, kept between steps: fresh arrays of this size would be mapped and faulted in each time."""

    def __init__(self, clips: int, folds: int, channels: int, patches: Patches) -> None:
        wide, q2, outputs = folds * channels, patches.side**2, patches.rows.shape[1]
        self.clips = clips
        self.output, self.dense = torch.empty(outputs, wide), torch.empty(outputs, wide)
        self.windows = self.output[: 9 * q2].view(9, q2, wide)
        """Slots outside the map hold 0, which no maximum of a ReLU falls below."""
        self.top = torch.empty(clips, q2, wide)
        self.sums = torch.empty(clips, 2, wide)
        self.d_top = torch.empty(folds, clips, q2, channels)
        self.own = torch.empty(3, clips, q2, channels)
        self.offset, self.slope = torch.zeros(wide), torch.zeros(wide)


class StstnetStack:
    """F networks of the same shape and their Adam state.

    Flat parameters (F, P): convolution (C, 28) with its bias, batch norm scale and shift (C,), classifier
    (K, C, H, H) of K classes and its bias (K,); C = 16 is 3 + 5 + 8. Pooled maps have Q x Q cells, H = Q // 2.
    """

    def __init__(self, networks: Sequence[StstnetNetwork], x: Tensor, lr: float) -> None:
        """Take the networks' weights; ``x`` (N, 3, S, S) is the pool that row numbers index."""
        self.networks = list(networks)
        self.lr = lr
        streams: Any = networks[0].streams
        conv, norm = streams[0][0], streams[0][2]
        self.keep = 1.0 - float(networks[0].config.dropout)
        self.patches = cut_patches(x, int(conv.padding[0]))
        self.eps, self.momentum = float(norm.eps), float(norm.momentum)
        self.channels = sum(networks[0].config.widths)
        self.half = self.patches.side // 2
        k = self.classes = networks[0].config.classes
        sizes = [self.channels * 28, self.channels, self.channels, k * self.channels * self.half**2, k]
        self.cuts = [0, *np.cumsum(sizes).tolist()]
        self.flat = torch.stack([pack(n) for n in networks])
        self.first_moment, self.second_moment = torch.zeros_like(self.flat), torch.zeros_like(self.flat)
        self.steps = torch.zeros(len(networks), 1)
        self.running = torch.zeros(len(networks), 2, self.channels)
        self.running[:, 1] = 1
        self._work = _Work(0, len(networks), self.channels, self.patches)

    def step(self, batches: Sequence[Batch | None]) -> list[float]:
        """One Adam step of every network that has a batch.

        Returns:
            Mean cross entropy of each; NaN where it had no batch.
        """
        losses, gradient = self.gradient(batches)
        active = torch.tensor([[b is not None] for b in batches])
        self.steps += active
        t = self.steps.clamp_min(1)
        (beta1, beta2), m, v = _BETAS, self.first_moment, self.second_moment
        m.copy_(torch.where(active, torch.lerp(gradient, m, beta1), m))
        v.copy_(torch.where(active, torch.lerp(gradient * gradient, v, beta2), v))
        update = (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + _EPS)
        self.flat -= self.lr * active * update
        return losses

    def unpack(self) -> list[StstnetNetwork]:
        """Write the weights and running statistics back; the networks are left in eval mode."""
        for k, network in enumerate(self.networks):
            unpack(network, self.parts(self.flat[k]), self.running[k], int(self.steps[k, 0]))
            network.eval()
        return self.networks

    def parts(self, flat: Tensor) -> list[Tensor]:
        """Views into one network's flat vector (P,): convolution, scale, shift, classifier, its bias."""
        shapes: list[tuple[int, ...]] = [
            (-1, 28),
            (-1,),
            (-1,),
            (self.classes, self.channels, self.half, self.half),
        ]
        shapes.append((self.classes,))
        spans = zip(self.cuts, self.cuts[1:], strict=False)
        return [flat[a:b].view(shape) for (a, b), shape in zip(spans, shapes, strict=True)]

    @torch.no_grad()
    def gradient(self, batches: Sequence[Batch | None]) -> tuple[list[float], Tensor]:
        """Return each network's cross entropy and the flat gradients (F, P); running statistics are updated."""
        folds, c = len(batches), self.channels
        result = torch.zeros_like(self.flat)
        parts = [self.parts(flat) for flat in self.flat]
        # (29, F C): every stream of every fold; the last row adds the tie-break.
        column = torch.cat([torch.cat([p[0].T, torch.ones(1, c)]) for p in parts], 1)
        scales = torch.cat([p[1] for p in parts])
        sign = torch.where(scales < 0, -1.0, 1.0) if bool((scales < 0).any()) else None
        union = np.unique(np.concatenate([b.rows for b in batches if b is not None]))
        work = self._work_for(len(union), folds)
        self._forward(union, column, sign, work)
        losses = [float("nan")] * folds
        factor, absent = torch.zeros(folds * c), np.ones((len(union), folds), bool)
        for k, batch in enumerate(batches):
            if batch is not None:
                at = np.searchsorted(union, batch.rows)
                absent[at, k] = False
                mine = slice(k * c, (k + 1) * c)
                own = None if sign is None else sign[mine]
                losses[k], factor[mine] = self._head(k, batch, torch.from_numpy(at), own, work, result[k])
        whole = self._backward(union, absent, column, sign, work) * factor
        for k in range(folds):
            self.parts(result[k])[0].copy_(whole[:28, k * c : (k + 1) * c].T)
        return losses, result

    def _forward(self, union: Rows, column: Tensor, sign: Tensor | None, work: _Work) -> None:
        """Convolve clip by clip: the top of each window, and the sums of the outputs and of their squares."""
        ones = torch.ones(1, len(work.output))
        for u, row in enumerate(union.tolist()):
            torch.mm(self.patches.rows[row], column, out=work.output)
            work.output.relu_()
            windows = work.windows if sign is None else self._turned(work.windows, sign)
            torch.amax(windows, 0, out=work.top[u])
            torch.mm(ones, work.output, out=work.sums[u, :1])
            torch.mul(work.output, work.output, out=work.dense)
            torch.mm(ones, work.dense, out=work.sums[u, 1:])

    def _head(
        self, k: int, batch: Batch, place: Tensor, sign: Tensor | None, work: _Work, into: Tensor
    ) -> tuple[float, Tensor]:
        """Batch norm, dropout, classifier and loss of network ``k``, and back to the top of each window.

        ``place`` (B,) says which clips of the union are its own: it reads and writes no others. ``work`` is left
        with the gradient of the normalised tops where the ReLU is open, and with what batch norm adds to it at
        every open output: ``offset + slope * output``.

        Returns:
            Loss, and the factor (C,) from these to the gradient of the convolution's output.
        """
        _, scale, shift, fc, fc_bias = self.parts(self.flat[k])
        b, n = len(batch.rows), len(batch.rows) * self.patches.positions
        mine = slice(k * self.channels, (k + 1) * self.channels)
        # In float64: variances are small differences.
        sums = work.sums[:, :, mine].index_select(0, place).sum(0, dtype=torch.float64) / n
        mean, variance = sums[0], (sums[1] - sums[0] * sums[0]).clamp_min(0)
        self.running[k].lerp_(torch.stack([mean, variance * n / (n - 1)]).float(), self.momentum)
        inverse = (variance + self.eps).rsqrt()
        mean, inverse = mean.float(), inverse.float()
        value, pooled, d_pooled = (x[:b] for x in work.own)  # (B, Q^2, C) each
        torch.index_select(work.top[:, :, mine], 0, place, out=value)
        if sign is not None:
            value *= sign
        torch.addcmul(shift - mean * inverse * scale, value, inverse * scale, out=pooled)
        drop = None if batch.kept is None else torch.from_numpy(batch.kept).view_as(pooled)
        if drop is not None:
            pooled *= drop
        wide = self._spread(fc)  # (K, Q^2 C)
        log_p = torch.addmm(fc_bias, pooled.view(b, -1), wide.T).log_softmax(1)
        loss = -float(log_p.gather(1, batch.labels[:, None]).mean())
        d_logits = log_p.exp()
        d_logits[torch.arange(b), batch.labels] -= 1
        d_logits /= b
        _, g_scale, g_shift, g_fc, g_bias = self.parts(into)
        g_bias.copy_(d_logits.sum(0))
        g_fc.copy_(self._gather(d_logits.T @ pooled.view(b, -1)))
        torch.mm(d_logits, wide, out=d_pooled.view(b, -1))
        if drop is not None:
            d_pooled *= drop
        torch.mul(d_pooled, value, out=pooled)
        # A product with ones sums over clips several times faster than sum does.
        ones = torch.ones(1, b)
        g_shift.copy_((ones @ d_pooled.view(b, -1)).view(-1, self.channels).sum(0))
        g_scale.copy_((ones @ pooled.view(b, -1)).view(-1, self.channels).sum(0))
        g_scale.sub_(mean * g_shift).mul_(inverse)
        torch.ops.aten.threshold_backward.grad_input(d_pooled, value, 0.0, grad_input=d_pooled)
        work.d_top[k].index_copy_(0, place, d_pooled)
        # dr = scale / deviation (dy - mean dy - level mean(dy level)): dy is sparse, the other two are dense.
        slope = inverse * g_scale / n
        work.slope[mine] = slope
        work.offset[mine] = g_shift / n - mean * slope
        return loss, scale * inverse

    def _backward(
        self, union: Rows, absent: NDArray[np.bool_], column: Tensor, sign: Tensor | None, work: _Work
    ) -> Tensor:
        """Sum over outputs of their gradient times their patch: (29, F C)."""
        folds, c = absent.shape[1], self.channels
        q2 = self.patches.side**2
        gone = {u: np.flatnonzero(absent[u]).tolist() for u in np.flatnonzero(absent.any(1)).tolist()}
        sums, part = torch.zeros(column.shape, dtype=torch.float64), torch.empty_like(column)
        gradient, sparse = torch.empty(q2, folds, c), torch.zeros_like(work.output)
        spread, chosen = gradient.view(1, q2, -1).expand(9, -1, -1), sparse[: 9 * q2].view(9, q2, -1)
        for u, row in enumerate(union.tolist()):
            x = self.patches.rows[row]
            # Convolved again: cheaper than to keep 1 MB per clip and eight folds.
            torch.mm(x, column, out=work.output)
            work.output.relu_()
            windows = work.windows if sign is None else self._turned(work.windows, sign)
            torch.sub(windows, work.top[u], out=chosen)
            gradient.copy_(work.d_top[:, u].transpose(0, 1))
            torch.ops.aten.threshold_backward.grad_input(spread, chosen, -TIE / 2, grad_input=chosen)
            torch.addcmul(work.offset, work.output, work.slope, out=work.dense)
            torch.ops.aten.threshold_backward.grad_input(work.dense, work.output, 0.0, grad_input=work.dense)
            torch.sub(sparse, work.dense, out=work.dense)
            for k in gone.get(u, ()):
                work.dense[:, k * c : (k + 1) * c] = 0
            torch.mm(x.T, work.dense, out=part)
            sums += part
        return sums

    def _turned(self, windows: Tensor, sign: Tensor) -> Tensor:
        """Where a channel's scale is negative its lowest value is the top: its sign is turned."""
        turned: Tensor = windows * sign
        return turned.masked_fill(~self.patches.inside[:, :, None], -torch.inf)

    def _work_for(self, clips: int, folds: int) -> _Work:
        if self._work.clips < clips:
            self._work = _Work(clips, folds, self.channels, self.patches)
        return self._work

    def _spread(self, fc: Tensor) -> Tensor:
        """Classifier after 2x2 mean pooling, written as one before it: (K, C, H, H) -> (K, Q^2 C)."""
        side, half = self.patches.side, self.half
        wide = torch.zeros(self.classes, side, side, self.channels)
        up = fc.repeat_interleave(2, 2).repeat_interleave(2, 3).permute(0, 2, 3, 1)
        wide[:, : 2 * half, : 2 * half] = up / 4
        return wide.view(self.classes, -1)

    def _gather(self, wide: Tensor) -> Tensor:
        """The transpose of `_spread`: (K, Q^2 C) -> (K, C, H, H)."""
        side, half = self.patches.side, self.half
        maps = wide.view(self.classes, side, side, self.channels)[:, : 2 * half, : 2 * half]
        return maps.reshape(self.classes, half, 2, half, 2, self.channels).sum((2, 4)).permute(0, 3, 1, 2) / 4

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

from mer_live.engines.networks.ststnet import Ststnet as Network
from mer_live.training.batched_patches import COLUMNS, TIE, cut_patches
from mer_live.training.batched_weights import pack, unpack
from mer_live.training.trainer import Rows

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


class StstnetStack:
    """F networks of the same shape and their Adam state.

    Flat parameters (F, P): convolution (C, 28) with its bias, batch norm scale and shift (C,), classifier
    (3, C, H, H) and its bias (3,); C = 16 is 3 + 5 + 8. Pooled maps have Q x Q cells, H = Q // 2.
    """

    def __init__(self, networks: Sequence[Network], x: Tensor, lr: float) -> None:
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
        sizes = [self.channels * 28, self.channels, self.channels, 3 * self.channels * self.half**2, 3]
        self.cuts = [0, *np.cumsum(sizes).tolist()]
        self.flat = torch.stack([pack(n) for n in networks])
        self.first_moment, self.second_moment = torch.zeros_like(self.flat), torch.zeros_like(self.flat)
        self.steps = torch.zeros(len(networks), 1)
        self.running = torch.zeros(len(networks), 2, self.channels)
        self.running[:, 1] = 1
        self._both = torch.empty(0, 2, 0)
        self._rows = [(x, x.T) for x in self.patches.rows.unbind(0)]

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

    def unpack(self) -> list[Network]:
        """Write the weights and running statistics back; the networks are left in eval mode."""
        for k, network in enumerate(self.networks):
            unpack(network, self.parts(self.flat[k]), self.running[k], int(self.steps[k, 0]))
            network.eval()
        return self.networks

    def parts(self, flat: Tensor) -> list[Tensor]:
        """Views into one network's flat vector (P,): convolution, scale, shift, classifier, its bias."""
        shapes = [(-1, 28), (-1,), (-1,), (3, self.channels, self.half, self.half), (3,)]
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
        absent = np.ones((len(union), folds), bool)
        place: list[Tensor] = []
        for k, batch in enumerate(batches):
            at = np.searchsorted(union, batch.rows) if batch is not None else np.zeros(0, np.int64)
            absent[at, k] = False
            place.append(torch.from_numpy(at))
        top, sums = self._forward(union, absent, column, sign)
        d_top = torch.empty_like(top)
        losses = [float("nan")] * folds
        dense: list[tuple[Tensor, Tensor]] = []
        for k, batch in enumerate(batches):
            mine = slice(k * c, (k + 1) * c)
            if batch is None:
                d_top[:, :, mine] = 0
                dense.append((torch.zeros(c, COLUMNS, dtype=torch.float64), torch.zeros(c, 1)))
                continue
            # sums: (29, 2, F, C) patches times output, and patches where the ReLU is open
            through, on = sums[:, 0, k].T, sums[:, 1, k].T
            own = None if sign is None else sign[mine]
            views = top[:, :, mine], d_top[:, :, mine]
            losses[k], *rest = self._head(k, batch, place[k], *views, through, on, own, result[k])
            dense.append((rest[0], rest[1]))
        sparse = self._backward(union, top, d_top, column, sign)
        for k, (mean_term, factor) in enumerate(dense):
            whole = factor * (sparse[:, k * c : (k + 1) * c].T - mean_term)
            self.parts(result[k])[0].copy_(whole[:, :28])
        return losses, result

    def _forward(
        self, union: Rows, absent: NDArray[np.bool_], column: Tensor, sign: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Convolve clip by clip: (U, Q^2, F C) top of each window, and the sums (29, 2, F, C)."""
        wide = column.shape[1]
        both = self._buffer(wide)
        output, mask, flat = both[:, 0], both[:, 1], both.view(len(both), -1)
        windows = self._windows(output)
        top = torch.empty(len(union), self.patches.side**2, wide)
        # Summed clip by clip in float64: variances are small differences, and a fold must not feel its company.
        sums, part = torch.zeros(COLUMNS, 2 * wide, dtype=torch.float64), torch.empty(COLUMNS, 2 * wide)
        gone = {u: np.flatnonzero(absent[u]).tolist() for u in np.flatnonzero(absent.any(1)).tolist()}
        for u, (row, highest) in enumerate(zip(union.tolist(), top.unbind(0), strict=True)):
            x, x_t = self._rows[row]
            torch.mm(x, column, out=output)
            output.relu_()
            for k in gone.get(u, ()):
                output[:, k * self.channels : (k + 1) * self.channels] = 0
            torch.amax(windows if sign is None else self._turned(windows, sign), 0, out=highest)
            torch.sign(output, out=mask)
            torch.mm(x_t, flat, out=part)
            sums += part
        folds = wide // self.channels
        return top, sums.view(COLUMNS, 2, folds, self.channels)

    def _head(
        self,
        k: int,
        batch: Batch,
        place: Tensor,
        top: Tensor,
        d_top: Tensor,
        through: Tensor,
        on: Tensor,
        sign: Tensor | None,
        into: Tensor,
    ) -> tuple[float, Tensor, Tensor]:
        """Batch norm, dropout, classifier and loss of one network, and back to the top of each window.

        ``top`` (U, Q^2, C) holds clips of other networks' batches as well: they get no gradient. ``d_top``, of
        the same shape, receives the gradient of the normalised tops where the ReLU is open.

        Returns:
            Loss, and what batch norm adds to the gradient of the convolution: its dense part (C, 29) and the
            common factor (C, 1).
        """
        weight, scale, shift, fc, fc_bias = self.parts(self.flat[k])
        b, n = len(batch.rows), len(batch.rows) * self.patches.positions
        mean = through[:, 27] / n
        # The output is weight x patch wherever it is not 0, so its square sums to weight x through.
        column = torch.cat([weight, torch.ones(len(weight), 1)], 1).double()
        variance = ((through * column).sum(1) / n - mean * mean).clamp_min(0)
        now = torch.stack([mean, variance * n / (n - 1)]).float()
        self.running[k].lerp_(now, self.momentum)
        inverse = (variance + self.eps).rsqrt()
        # Its own clips, packed: sums over more rows, be they zero, would round otherwise.
        value = top.index_select(0, place)  # (B, Q^2, C)
        if sign is not None:
            value *= sign
        level = torch.sub(value, mean.float()).mul_(inverse.float())
        pooled = torch.addcmul(shift, level, scale)
        drop = None if batch.kept is None else torch.from_numpy(batch.kept).view_as(pooled)
        if drop is not None:
            pooled *= drop
        wide = self._spread(fc)  # (3, Q^2 C)
        flat = pooled.view(b, -1)
        log_p = torch.addmm(fc_bias, flat, wide.T).log_softmax(1)
        loss = -float(log_p.gather(1, batch.labels[:, None]).mean())
        d_logits = log_p.exp()
        d_logits[torch.arange(b), batch.labels] -= 1
        d_logits /= b
        _, g_scale, g_shift, g_fc, g_bias = self.parts(into)
        g_bias.copy_(d_logits.sum(0))
        g_fc.copy_(self._gather(d_logits.T @ flat))
        d_pooled = (d_logits @ wide).view_as(pooled)
        if drop is not None:
            d_pooled *= drop
        open_only = torch.ops.aten.threshold_backward(d_pooled, value, 0.0)
        # Two steps: index_copy_ into a strided view is many times slower.
        d_top.copy_(torch.zeros(d_top.shape).index_copy_(0, place, open_only))
        # A product with ones sums over all but the last axis several times faster than sum does.
        ones = torch.ones(d_pooled.shape[0] * d_pooled.shape[1])
        g_shift.copy_(ones @ d_pooled.view(-1, self.channels))
        g_scale.copy_(ones @ level.mul_(d_pooled).view(-1, self.channels))
        # dr = scale / deviation (dy - mean dy - level mean(dy level)): dy is sparse, the other two are dense.
        slope = (inverse * g_scale / n)[:, None]
        dense = on * (g_shift / n)[:, None] + (through - mean[:, None] * on) * slope
        return loss, dense, (scale * inverse)[:, None]

    def _backward(
        self, union: Rows, top: Tensor, d_top: Tensor, column: Tensor, sign: Tensor | None
    ) -> Tensor:
        """Sum over windows of the gradient times the patch that was the maximum: (29, F C)."""
        q2, wide = self.patches.side**2, column.shape[1]
        output = self._buffer(wide)[:, 0]
        windows = self._windows(output)
        difference, sparse = torch.empty(9, q2, wide), torch.empty(9, q2, wide)
        flat = sparse.view(9 * q2, wide)
        sums, part = torch.zeros(COLUMNS, wide, dtype=torch.float64), torch.empty(COLUMNS, wide)
        spread = d_top.unsqueeze(1).expand(-1, 9, -1, -1).unbind(0)
        for row, highest, gradient in zip(union.tolist(), top.unbind(0), spread, strict=True):
            x, x_t = self._rows[row]
            # Convolved again: cheaper than to keep 1 MB per clip and eight folds.
            torch.mm(x, column, out=output)
            torch.sub(windows if sign is None else self._turned(windows, sign), highest, out=difference)
            torch.ops.aten.threshold_backward.grad_input(gradient, difference, -TIE / 2, grad_input=sparse)
            torch.mm(x_t[:, : 9 * q2], flat, out=part)
            sums += part
        return sums

    def _windows(self, output: Tensor) -> Tensor:
        """(L, F C) -> (9, Q^2, F C); slots outside the map hold 0, which no maximum of a ReLU falls below."""
        q2 = self.patches.side**2
        return output[: 9 * q2].view(9, q2, -1)

    def _turned(self, windows: Tensor, sign: Tensor) -> Tensor:
        """Where a channel's scale is negative its lowest value is the top: its sign is turned."""
        turned: Tensor = windows.relu() * sign
        return turned.masked_fill(~self.patches.inside[:, :, None], -torch.inf)

    def _buffer(self, wide: int) -> Tensor:
        """(L, 2, F C); both passes convolve into the same memory, so that they round alike."""
        if self._both.shape[2] != wide:
            self._both = torch.empty(self.patches.rows.shape[1], 2, wide)
        return self._both

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

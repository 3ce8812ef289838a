"""Many STSTNets trained side by side: one stack of parameters, one hand-written step, many folds.

The plain loop spends its time on memory, not on arithmetic: three convolutions, three batch norms and three
poolings read and write 10 MB maps in a layout that vectorises badly. Here

- all streams of all folds are one matrix product per clip, on patches that are cut once for all folds, so that a
  clip's outputs never leave the cache and a clip is read once for all of them;
- batch norm needs, forwards and backwards, only sums over the outputs of patch and of patch x output: two more
  products while they are there, so that nothing is convolved again;
- what comes back through max pooling is a weighted sum of the patches of the largest outputs.

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
from torch.nn import functional as F

from mer_live.engines.networks.ststnet import StstnetNetwork
from mer_live.training.learning.data import Rows
from mer_live.training.methods.ststnet.weights import pack, unpack

_BETAS, _EPS = (0.9, 0.999), 1e-8
_CUT = 64
"""Clips whose patches are cut at a time."""
_PATCH = 28
"""Values that one output of the convolution sees: 27 of the image, and 1 for the bias."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one network sees in one step."""

    rows: Rows
    """(B,) ascending row numbers of the pool."""
    labels: Tensor
    """(B,) int64."""
    kept: NDArray[np.float32] | None = None
    """(B x C x Q^2) dropout factors, None without dropout."""


class _Work:
    """Memory of a step, kept between steps: fresh arrays of this size would be mapped and faulted in each time."""

    def __init__(self, clips: int, folds: int, channels: int, size: int, side: int) -> None:
        wide = folds * channels
        self.clips = clips
        self.output, self.open = torch.empty(size * size, wide), torch.empty(size * size, wide)
        self.image = self.output.view(1, size, size, wide).permute(0, 3, 1, 2)
        """The outputs as max pooling takes them: (1, F C, S, S)."""
        self.top = torch.empty(clips, wide, side, side)
        """Largest output of each window."""
        self.place = torch.empty(clips, wide, side, side, dtype=torch.int32)
        """Where it is."""
        self.d_top = torch.empty(clips, wide, side, side)
        self.own = torch.empty(3, clips, channels, side, side)
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
        self.size = int(x.shape[-1]) + 2 * int(conv.padding[0]) - 2
        self.patches = torch.ones(len(x), self.size**2, _PATCH)
        for k in range(0, len(x), _CUT):  # at once it takes three times the memory
            cut = F.unfold(x[k : k + _CUT], 3, padding=conv.padding)  # (64, 27, S^2)
            self.patches[k : k + _CUT, :, :-1] = cut.transpose(1, 2)
        self.side = (self.size - 1) // 3 + 1
        self.half = self.side // 2
        self.eps, self.momentum = float(norm.eps), float(norm.momentum)
        self.channels = sum(networks[0].config.widths)
        k = self.classes = networks[0].config.classes
        sizes = [self.channels * _PATCH, self.channels, self.channels, k * self.channels * self.half**2, k]
        self.cuts = [0, *np.cumsum(sizes).tolist()]
        self.flat = torch.stack([pack(n) for n in networks])
        self.first_moment, self.second_moment = torch.zeros_like(self.flat), torch.zeros_like(self.flat)
        self.steps = torch.zeros(len(networks), 1)
        self.running = torch.zeros(len(networks), 2, self.channels)
        self.running[:, 1] = 1
        self._work = self._work_for(0, len(networks))

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
            (-1, _PATCH),
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
        column = torch.cat([p[0].T for p in parts], 1)  # (28, F C): every stream of every fold
        scales = torch.cat([p[1] for p in parts])
        sign = torch.where(scales < 0, -1.0, 1.0) if bool((scales < 0).any()) else None
        union = np.unique(np.concatenate([b.rows for b in batches if b is not None]))
        places = [None if b is None else np.searchsorted(union, b.rows) for b in batches]
        absent = np.ones((len(union), folds), bool)
        for k, place in enumerate(places):
            absent[place if place is not None else [], k] = False
        if self._work.clips < len(union):
            self._work = self._work_for(len(union), folds)
        work = self._work
        for u, k in np.argwhere(absent).tolist():
            work.d_top[u, k * c : (k + 1) * c] = 0
        sums = self._forward(union, absent, column, sign, work)
        losses, factor = [float("nan")] * folds, torch.zeros(folds * c)
        for k, (batch, place) in enumerate(zip(batches, places, strict=True)):
            if batch is not None and place is not None:
                mine = slice(k * c, (k + 1) * c)
                own = None if sign is None else sign[mine, None, None]
                # In float64: variances are small differences. The sum of squares is that of patch x output x weight.
                level, square = sums[1, -1, mine], (sums[1, :, mine] * column[:, mine]).sum(0)
                losses[k], factor[mine] = self._head(
                    k, batch, torch.from_numpy(place), own, level, square, work, result[k]
                )
        # dr = scale / deviation (dy - mean dy - level mean(dy level)): dy is sparse, the other two are dense.
        dense = work.offset * sums[0] + work.slope * sums[1]
        whole = (self._backward(union, work) - dense) * factor
        for k in range(folds):
            self.parts(result[k])[0].copy_(whole[:, k * c : (k + 1) * c].T)
        return losses, result

    def _forward(
        self, union: Rows, absent: NDArray[np.bool_], column: Tensor, sign: Tensor | None, work: _Work
    ) -> Tensor:
        """Convolve clip by clip and keep the top of each window.

        Returns:
            (2, 28, F C) sums over the open outputs of each fold's own clips: of their patch, and of patch x output.
        """
        c = self.channels
        gone = {u: np.flatnonzero(absent[u]).tolist() for u in np.flatnonzero(absent.any(1)).tolist()}
        sums, part = torch.zeros(2, *column.shape, dtype=torch.float64), torch.empty(2, *column.shape)
        for u, row in enumerate(union.tolist()):
            x = self.patches[row]
            torch.mm(x, column, out=work.output)
            work.output.relu_()
            # Where a channel's scale is negative its lowest value is the top: its sign is turned.
            image = work.image if sign is None else work.image * sign[:, None, None]
            top, place = F.max_pool2d(image, 3, 3, 1, return_indices=True)
            work.top[u].copy_(top[0])
            work.place[u].copy_(place[0])
            torch.sign(work.output, out=work.open)
            torch.mm(x.T, work.open, out=part[0])
            torch.mm(x.T, work.output, out=part[1])
            for k in gone.get(u, ()):
                part[:, :, k * c : (k + 1) * c] = 0
            sums += part
        return sums

    def _head(
        self,
        k: int,
        batch: Batch,
        place: Tensor,
        sign: Tensor | None,
        level: Tensor,
        square: Tensor,
        work: _Work,
        into: Tensor,
    ) -> tuple[float, Tensor]:
        """Batch norm, dropout, classifier and loss of network ``k``, and back to the top of each window.

        ``place`` (B,) says which clips of the union are its own: it reads and writes no others; ``level`` and
        ``square`` (C,) are the sums of their outputs and of the squares. ``work`` is left with the gradient of the
        normalised tops where the ReLU is open, and with what batch norm adds to it at every open output:
        ``offset + slope * output``.

        Returns:
            Loss, and the factor (C,) from these to the gradient of the convolution's output.
        """
        _, scale, shift, fc, fc_bias = self.parts(self.flat[k])
        b, n = len(batch.rows), len(batch.rows) * self.size**2
        mine = slice(k * self.channels, (k + 1) * self.channels)
        mean, variance = level / n, (square / n - (level / n) ** 2).clamp_min(0)
        self.running[k].lerp_(torch.stack([mean, variance * n / (n - 1)]).float(), self.momentum)
        inverse = (variance + self.eps).rsqrt()
        mean, inverse = mean.float(), inverse.float()
        value, pooled, d_pooled = (x[:b] for x in work.own)  # (B, C, Q, Q) each
        torch.index_select(work.top[:, mine], 0, place, out=value)
        if sign is not None:
            value *= sign
        steep = (inverse * scale)[:, None, None]
        torch.addcmul((shift - mean * inverse * scale)[:, None, None], value, steep, out=pooled)
        drop = None if batch.kept is None else torch.from_numpy(batch.kept).view_as(pooled)
        if drop is not None:
            pooled *= drop
        wide = self._spread(fc)  # (K, C Q^2)
        log_p = torch.addmm(fc_bias, pooled.view(b, -1), wide.T).log_softmax(1)
        loss = -float(log_p.gather(1, batch.labels[:, None]).mean())
        d_logits = log_p.exp()
        d_logits[torch.arange(b), batch.labels] -= 1
        d_logits /= b
        _, g_scale, g_shift, g_fc, g_bias = self.parts(into)
        g_bias.copy_(d_logits.sum(0))
        g_fc.copy_(F.avg_pool2d((d_logits.T @ pooled.view(b, -1)).view(-1, *pooled.shape[1:]), 2))
        torch.mm(d_logits, wide, out=d_pooled.view(b, -1))
        if drop is not None:
            d_pooled *= drop
        torch.mul(d_pooled, value, out=pooled)
        # A product with ones sums over clips several times faster than sum does.
        ones = torch.ones(1, b)
        g_shift.copy_((ones @ d_pooled.view(b, -1)).view(self.channels, -1).sum(1))
        g_scale.copy_((ones @ pooled.view(b, -1)).view(self.channels, -1).sum(1))
        g_scale.sub_(mean * g_shift).mul_(inverse)
        torch.ops.aten.threshold_backward.grad_input(d_pooled, value, 0.0, grad_input=d_pooled)
        work.d_top[:, mine].index_copy_(0, place, d_pooled)
        slope = inverse * g_scale / n
        work.slope[mine] = slope
        work.offset[mine] = g_shift / n - mean * slope
        return loss, scale * inverse

    def _backward(self, union: Rows, work: _Work) -> Tensor:
        """Sum over windows of the gradient of their top times its patch: (28, F C)."""
        sums = torch.zeros(len(work.offset), _PATCH, dtype=torch.float64)
        for u, row in enumerate(union.tolist()):
            place, weights = work.place[u].flatten(1), work.d_top[u].flatten(1)
            sums += F.embedding_bag(place, self.patches[row], mode="sum", per_sample_weights=weights)
        return sums.T

    def _work_for(self, clips: int, folds: int) -> _Work:
        return _Work(clips, folds, self.channels, self.size, self.side)

    def _spread(self, fc: Tensor) -> Tensor:
        """Classifier after 2x2 mean pooling, written as one before it: (K, C, H, H) -> (K, C Q^2)."""
        up = fc.repeat_interleave(2, 2).repeat_interleave(2, 3) / 4
        odd = self.side - 2 * self.half
        return F.pad(up, (0, odd, 0, odd)).flatten(1)

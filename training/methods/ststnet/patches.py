"""Convolution inputs cut once for all folds, in the order in which max pooling reads the outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

TIE = 2e-6
"""Where a window's values are equal, as on an unmoving background, the last one wins by this much."""


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
    rows[:, : len(place), 28] = torch.arange(9).repeat_interleave(side * side) * TIE
    rows[:, torch.from_numpy(~real)] = 0
    return Patches(rows, torch.from_numpy(inside.reshape(9, -1)), side, out * out)

"""The block grid that every feature shares: where a pixel belongs, and one histogram per block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def block_map(height: int, width: int, grid: int) -> NDArray[np.int64]:
    """Number of the block, 0 .. grid^2 - 1 row by row, of every pixel: (height, width).

    Raises:
        ValueError: There are more blocks than pixels along a side.
    """
    if not 1 <= grid <= min(height, width):
        raise ValueError(f"a grid of {grid} x {grid} blocks does not fit into {height} x {width} pixels")
    rows, columns = (np.arange(n) * grid // n for n in (height, width))
    return np.asarray(rows[:, None] * grid + columns[None], np.int64)


def block_histograms(
    blocks: NDArray[np.int64],
    bins: NDArray[np.integer],
    weights: NDArray[np.float64] | None,
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    """Weighted counts, one row a block.

    ==========  ==================  ==============================================
    blocks      any shape           block of each sample
    bins        the same            bin of each sample
    weights     the same, or None   what a sample adds; None: 1
    shape       (B, K)              number of blocks and of bins
    returns     (B, K) float64
    ==========  ==================  ==============================================
    """
    index = (blocks * shape[1] + bins).ravel()
    flat = None if weights is None else weights.ravel()
    counts = np.bincount(index, flat, minlength=shape[0] * shape[1])
    return counts.astype(np.float64).reshape(shape)


def normalised(histograms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row divided by its sum; an empty row stays zero."""
    total = histograms.sum(-1, keepdims=True)
    result = np.zeros_like(histograms)
    np.divide(histograms, total, out=result, where=total > 0)
    return result

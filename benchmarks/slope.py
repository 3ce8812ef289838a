"""How fast something grows, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mer_live.benchmarks.result import Figure

_BLOCKS = 8
_STUDENT = 2.447
"""Of a line through that many points: 97.5 % of Student's distribution with 6 degrees of freedom."""


def slope(hours: Sequence[float], values: Sequence[float]) -> tuple[float, float, float] | None:
    """What ``values`` gain an hour, with the bounds of its 95 % interval; None for fewer than eight.

    The line goes through the medians of eight blocks of neighbours. Memory jumps, peaks and stays, so neighbours
    resemble each other: an interval from single samples would be far too narrow.
    """
    if len(hours) < _BLOCKS:
        return None
    blocks = np.array_split(np.arange(len(hours)), _BLOCKS)
    x, y = (np.asarray(one, np.float64) for one in (hours, values))
    at = np.array([x[block].mean() for block in blocks])
    level = np.array([np.median(y[block]) for block in blocks])
    at -= at.mean()
    gain = float(at @ level / (at @ at))
    left = level - level.mean() - gain * at
    half = _STUDENT * float(np.sqrt(left @ left / (_BLOCKS - 2) / (at @ at)))
    return gain, gain - half, gain + half


def gained(
    name: str, unit: str, hours: Sequence[float], values: Sequence[float], target: float | None = None
) -> Figure:
    """The slope as a figure, with its interval; without a value where there are too few."""
    gain, low, high = slope(hours, values) or (None, None, None)
    note = "too few samples" if low is None else f"95 %: {low:.2f} to {high:.2f}"
    return Figure(name, gain, unit, len(hours), low, high, target=target, note=note)

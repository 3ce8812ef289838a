"""Movements that come quickly and fade slowly: a quarter of CAS(ME)^3 takes over 0.9 s to fall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mer_live.realtime.spotter.hypothesis import Hypothesis
from mer_live.realtime.spotter.signals import Array, History

_BEFORE_NS = 120_000_000
_LEFT, _HIGHEST = 0.2, 0.9
"""Parts of the height: below the first a movement has ended, above the second it has not begun to fade."""
_LEAST_PX = 0.6
"""Along the pattern; what is lower may be an encoder's drift between two key frames, which nothing else tells."""
_RISES_AGAIN = 0.25
"""Part of the height by which a fading movement may rise from its lowest so far."""
_QUICK_NS = 350_000_000
"""The longest rise of a micro-expression."""


@dataclass(frozen=True, slots=True)
class Fall:
    """How far a movement that was announced has come back."""

    left: float
    """Part of its height."""
    rose: float
    """By how much, in parts of its height, it has risen from its lowest since the apex."""

    @property
    def fades(self) -> bool:
        """Whether it is on its way back and nothing else."""
        return _LEFT <= self.left <= _HIGHEST and self.rose <= _RISES_AGAIN

    @property
    def ended(self) -> bool:
        """Whether it is back."""
        return self.left < _LEFT

    @property
    def broken(self) -> bool:
        """Whether something else has begun."""
        return self.rose > _RISES_AGAIN or self.left < -2 * _RISES_AGAIN


def quick(h: Hypothesis) -> bool:
    """Whether its rise is that of a micro-expression."""
    return h.apex_ns - h.onset_ns <= _QUICK_NS


def fall(h: Hypothesis, history: History) -> Fall:
    """What has become of a movement by now."""
    times, course = h.course(history, h.onset_ns - _BEFORE_NS)
    start = course[times <= h.onset_ns]
    base = float(start.mean()) if len(start) else float(course[0])
    after: Array = course[times >= h.apex_ns] - base
    height = float(np.median(after[: max(1, len(after) // 12)])) if len(after) else 0.0
    if abs(height) < _LEAST_PX:
        return Fall(0.0, 1.0)
    part = after / height
    return Fall(float(part[-3:].mean()), float((part - np.minimum.accumulate(part)).max()))

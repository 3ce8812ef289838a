"""A movement that may be one: when, how likely, along which pattern."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.spotter.pulses import raised_cosine, refine, without_drift
from mer_live.realtime.spotter.signals import Array, History
from mer_live.realtime.types import Span

_LEAD_NS = 150_000_000
_APEXES: Array = np.array([0.2, 0.35, 0.5, 0.65, 0.8])
"""Parts of a movement's length."""


@dataclass(slots=True)
class Hypothesis:
    """Found by one look, and placed more exactly before it is announced."""

    score: float
    log_odds: float
    """By its course and pattern alone, not calibrated."""
    onset_ns: int
    apex_ns: int
    offset_ns: int
    """Of a movement that has just turned back: where it would end."""
    weights: Array
    """(2R,) beam: its product with displacements is px along the pattern."""
    features: Array
    """(len(FEATURES),)."""
    found_ns: int

    def course(self, history: History, since_ns: int) -> tuple[NDArray[np.int64], Array]:
        """(T,) times and (T,) px along the pattern from ``since_ns`` to now."""
        rows = history.since(since_ns)
        times = history.times(rows)
        values = history.values(rows)[:, : self.weights.size // 2]
        return times, np.asarray(values.reshape(len(times), -1) @ self.weights)

    def place(self, history: History) -> None:
        """Onset, apex and offset to the frame, by the course along the movement's own pattern."""
        times, course = self.course(history, self.onset_ns - _LEAD_NS)
        middle = self._turned(times, course) if self.offset_ns <= int(times[-1]) else self.apex_ns
        seconds: Array = (times - middle).astype(np.float64) * 1e-9
        placed = refine(seconds, course, (self.onset_ns - middle) * 1e-9, (self.offset_ns - middle) * 1e-9)
        self.onset_ns, self.apex_ns, self.offset_ns = (middle + round(s * 1e9) for s in placed)

    def _turned(self, times: NDArray[np.int64], course: Array) -> int:
        """Where the course turned back, roughly: a look judges from where to where, and hardly when in between."""
        seconds: Array = (times - self.onset_ns).astype(np.float64) * 1e-9
        whole = (self.offset_ns - self.onset_ns) * 1e-9
        pulses = without_drift(raised_cosine(-seconds, 0.0, -_APEXES[:, None] * whole, -whole), seconds)
        energies = np.einsum("at,at->a", pulses, pulses)
        explained = np.square(pulses @ without_drift(course, seconds)) / np.maximum(energies, 1e-9)
        return self.onset_ns + round(float(_APEXES[int(np.argmax(explained))]) * whole * 1e9)

    def span(self, history: History, *, ended: bool = True) -> Span:
        """When it happens, in frames."""
        offset = history.moment_at(self.offset_ns) if ended else None
        return Span(history.moment_at(self.onset_ns), history.moment_at(self.apex_ns), offset)

"""Running statistics of fixed size: histograms of durations for quantiles, a rate meter, what a run has done."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from mer_live.realtime.types import STATES, Event, State

_BINS_PER_OCTAVE = 32
"""Bin edges grow by 2.2 %, so a quantile is within 1.1 % of the true one."""
_FLOOR_NS = 64
_BINS = 32 * _BINS_PER_OCTAVE  # 64 ns .. 275 s


class Durations:
    """Quantiles of any number of durations in constant memory (log-spaced histogram)."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self.n = 0
        self.max_ns = 0

    def add(self, ns: int) -> None:
        """Count one duration in nanoseconds; negative ones count as zero."""
        position = math.log2(ns / _FLOOR_NS) * _BINS_PER_OCTAVE if ns > _FLOOR_NS else 0.0
        self._counts[min(int(position), _BINS - 1)] += 1
        self.n += 1
        self.max_ns = max(self.max_ns, ns)

    def quantile_ms(self, q: float) -> float | None:
        """The q-quantile (0..1) in ms, or None while nothing was counted."""
        if not self.n:
            return None
        rank = min(int(q * self.n), self.n - 1)
        index = int(np.searchsorted(np.cumsum(self._counts), rank, side="right"))
        edge_ns: float = _FLOOR_NS * 2.0 ** ((index + 0.5) / _BINS_PER_OCTAVE)
        return min(edge_ns, float(self.max_ns)) / 1e6

    def summary(self, *quantiles: float) -> dict[str, float | int | None]:
        """``{"p50": ms, ..., "n": count}`` for quantiles given in percent, rounded to a microsecond."""
        values: dict[str, float | int | None] = {}
        for q in quantiles:
            ms = self.quantile_ms(q / 100)
            values[f"p{q}"] = None if ms is None else round(ms, 3)
        return {**values, "n": self.n}


class Rate:
    """Events per second over the last ``window`` times, from the times themselves."""

    def __init__(self, window: int = 64) -> None:
        self._t_ns = np.zeros(window, np.int64)
        self.n = 0

    def add(self, t_ns: int) -> None:
        """Count an event at ``t_ns``."""
        self._t_ns[self.n % len(self._t_ns)] = t_ns
        self.n += 1

    @property
    def hz(self) -> float:
        """Mean rate over the window; 0 until two events are known."""
        kept = min(self.n, len(self._t_ns))
        if kept < 2:
            return 0.0
        newest = int(self._t_ns[(self.n - 1) % len(self._t_ns)])
        oldest = int(self._t_ns[(self.n - kept) % len(self._t_ns)])
        return (kept - 1) * 1e9 / (newest - oldest) if newest > oldest else 0.0


STAGES = ("crop", "motion", "spotter", "frame", "recognise", "emit")
"""Timed stages: the first three are parts of 'frame'; 'recognise' and 'emit' happen once a spot."""
TIMED: tuple[State, ...] = ("provisional", "final", "settled")


@dataclass(slots=True)
class Counters:
    """What a run has done so far; written by the pipeline's threads, read by anybody."""

    processed: int = 0
    torn: int = 0
    """Frames that were overwritten while they were read; counted as dropped."""
    first_ns: int | None = None
    """Capture time of the first frame: zero of all event times."""
    newest_ns: int = 0
    """Capture time of the newest frame."""
    first_done_ns: int = 0
    last_done_ns: int = 0
    """Monotonic time when the first and the newest frame were through."""
    age_ns: int = 0
    """Capture -> processed of the newest frame; stays 0 for a file that is read as fast as possible."""
    rate: Rate = field(default_factory=Rate)
    """Frames a second by their capture times."""
    stages: dict[str, Durations] = field(default_factory=lambda: {name: Durations() for name in STAGES})
    states: dict[State, int] = field(default_factory=lambda: dict.fromkeys(STATES.values(), 0))
    """How often an event came to each state."""
    delay: dict[State, Durations] = field(default_factory=lambda: {state: Durations() for state in TIMED})
    compute: dict[State, Durations] = field(default_factory=lambda: {state: Durations() for state in TIMED})

    def count(self, event: Event) -> None:
        """Count an event's new state and how late it came."""
        self.states[event.state] += 1
        if event.state != "withdrawn":
            self.delay[event.state].add(event.delay_ns)
            self.compute[event.state].add(event.compute_ns)

"""The clock of one source: frame times made strictly increasing, and the rate measured from them."""

from __future__ import annotations

import threading
from collections import deque

_NUDGE_NS = 1_000
_WINDOW_NS = 2_000_000_000


class Stamps:
    """Takes each frame's raw time in turn; the measured rate may be asked for from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[int] = deque()
        self._count = 0
        self._first_ns: int | None = None
        self._nudged = 0

    @property
    def first_ns(self) -> int | None:
        """Time of the first frame, None before it."""
        return self._first_ns

    @property
    def nudged(self) -> int:
        """Frames whose time did not come after the one before and was set 1 us after it."""
        return self._nudged

    def add(self, raw_ns: int) -> int:
        """Return the time of the next frame, ns: ``raw_ns``, or 1 us after the last if that is not later."""
        with self._lock:
            t_ns = raw_ns
            if self._recent and t_ns <= self._recent[-1]:
                t_ns = self._recent[-1] + _NUDGE_NS
                self._nudged += 1
            if self._first_ns is None:
                self._first_ns = t_ns
            self._count += 1
            self._recent.append(t_ns)
            while len(self._recent) > 2 and t_ns - self._recent[0] > _WINDOW_NS:
                self._recent.popleft()
            return t_ns

    @property
    def recent_fps(self) -> float:
        """Frames per second over the last 2 s (at least two frames); 0.0 before the second frame."""
        with self._lock:
            return _rate(len(self._recent), self._recent[0], self._recent[-1]) if self._recent else 0.0

    @property
    def mean_fps(self) -> float:
        """Frames per second over everything so far; 0.0 before the second frame."""
        with self._lock:
            return _rate(self._count, self._first_ns or 0, self._recent[-1]) if self._recent else 0.0


def _rate(count: int, first_ns: int, last_ns: int) -> float:
    return (count - 1) * 1e9 / (last_ns - first_ns) if last_ns > first_ns else 0.0

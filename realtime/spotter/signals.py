"""The newest second of the region signals: bounded history, short means; in seconds."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.types import Moment

Array = NDArray[np.float64]

SMOOTH_NS = 20_000_000
"""Frames within this time are averaged, and the mean stands for their mean time, so it is not late."""


class History:
    """The newest displacements of all regions, with their times: a preallocated ring, newest last.

    Frames nearer than 4.4 ms to the last one are left out, so 2.2 s are held at every frame rate.
    """

    ROWS = 512
    _STEP_NS = 4_400_000

    def __init__(self, regions: int) -> None:
        self._t_ns = np.zeros(2 * self.ROWS, np.int64)
        self._frame_ns = np.zeros(2 * self.ROWS, np.int64)
        self._index = np.zeros(2 * self.ROWS, np.int64)
        self._values = np.zeros((2 * self.ROWS, regions, 2))
        self._end = 0

    def clear(self) -> None:
        """Forget everything."""
        self._end = 0

    def add(self, t_ns: int, values: Array, index: int, frame_ns: int) -> None:
        """Append displacements (R, 2) of time ``t_ns``, known with frame ``index`` of ``frame_ns``."""
        if self._end and frame_ns - int(self._frame_ns[self._end - 1]) < self._STEP_NS:
            return
        if self._end == 2 * self.ROWS:  # move the newer half down: once in ROWS frames
            for array in (self._t_ns, self._frame_ns, self._index, self._values):
                array[: self.ROWS] = array[self.ROWS :]
            self._end = self.ROWS
        self._t_ns[self._end], self._frame_ns[self._end] = t_ns, frame_ns
        self._index[self._end] = index
        self._values[self._end] = values
        self._end += 1

    def since(self, t_ns: float) -> slice:
        """Rows of time ``t_ns`` or later, at most ``ROWS``, at least the newest."""
        low = max(0, self._end - self.ROWS)
        first = low + int(np.searchsorted(self._t_ns[low : self._end], t_ns))
        return slice(min(first, self._end - 1), self._end)

    def times(self, rows: slice) -> NDArray[np.int64]:
        """(T,) nanoseconds."""
        return self._t_ns[rows]

    def values(self, rows: slice) -> Array:
        """(T, R, 2) px."""
        return self._values[rows]

    def sample(self, times_ns: Array) -> Array:
        """(n, R, 2) values at (n,) times, linear between rows; the oldest row's before it."""
        low = max(0, self._end - self.ROWS)
        times = self._t_ns[low : self._end]
        right = np.minimum(np.maximum(np.searchsorted(times, times_ns), 1), len(times) - 1)
        left = np.maximum(right - 1, 0)
        before = times[left]
        span = np.maximum(times[right] - before, 1)
        share = np.minimum(np.maximum((times_ns - before) / span, 0.0), 1.0)[:, None, None]
        values = self._values[low : self._end]
        old = values[left]
        return np.asarray(old + share * (values[right] - old))

    def at(self, t_ns: float) -> Array:
        """Values of the newest row that is not younger than ``t_ns``, else of the oldest."""
        low = max(0, self._end - self.ROWS)
        k = int(np.searchsorted(self._t_ns[low : self._end], t_ns, side="right")) - 1
        return np.asarray(self._values[low + max(0, k)])

    def moment_at(self, t_ns: float) -> Moment:
        """The held frame nearest to ``t_ns``."""
        low = max(0, self._end - self.ROWS)
        times = self._frame_ns[low : self._end]
        k = int(np.argmin(np.abs(times - t_ns)))
        return Moment(int(self._index[low + k]), int(times[k]))


class Smoother:
    """Mean of the frames of the last 20 ms and of their times; at low rates the newest frame alone."""

    def __init__(self) -> None:
        self._recent: deque[tuple[int, Array]] = deque(maxlen=64)

    def clear(self) -> None:
        """Forget everything."""
        self._recent.clear()

    def add(self, t_ns: int, values: Array) -> tuple[int, Array]:
        """Time and values of the mean."""
        self._recent.append((t_ns, values))
        while t_ns - self._recent[0][0] >= SMOOTH_NS:
            self._recent.popleft()
        if len(self._recent) == 1:
            return t_ns, values
        total, late_ns = np.zeros_like(values), 0
        for t, v in self._recent:
            total += v
            late_ns += t_ns - t
        total /= len(self._recent)
        return t_ns - late_ns // len(self._recent), total

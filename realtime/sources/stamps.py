"""The clock of one source: stamps that cannot be true mended, times that strictly increase, the rate."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

_NUDGE_NS = 1_000
_WINDOW_NS = 2_000_000_000
_BREAK_NS = 1_000_000_000
_PAUSE_NS = 60_000_000_000
_GAPS = 15
_FAR = 8


class Stamp(NamedTuple):
    """The time of one frame."""

    t_ns: int
    """Later than the frame before."""
    stretch: int
    """0, 1, ...; it grows where what came before cannot be compared with what follows."""


@dataclass(slots=True)
class Mended:
    """What was wrong with a recording's stamps, counted."""

    outliers: int = 0
    """Stamps out of line with the frames around them, replaced from these."""
    repeated: int = 0
    """Stamps that said the same as the frame before, spread between its neighbours."""
    missing: int = 0
    """Frames without a stamp, set one frame's time after the last."""
    rewinds: int = 0
    """Times that the clock went back and stayed there; times go on without a gap."""
    leaps: int = 0
    """Times that the clock leapt ahead by more than a minute; times go on without a gap."""
    pauses: int = 0
    """Gaps between a second and a minute, which the times keep."""

    @property
    def steady(self) -> bool:
        """Whether the clock never leapt: lengths and places in time are what they seem."""
        return not (self.outliers or self.rewinds or self.leaps)

    def words(self) -> str:
        """One clause for people: what was found and what was done; '' when nothing was."""
        told = (
            (self.outliers, "stamp", "out of line, set from the frames around"),
            (self.repeated, "stamp", "that repeated the one before, spread out"),
            (self.missing, "frame", "without a stamp, spaced as the others"),
            (self.rewinds, "rewind", "of the clock: times go on, the analysis starts anew"),
            (self.leaps, "leap", "of the clock: times go on, the analysis starts anew"),
            (self.pauses, "pause", "of over a second: the analysis starts anew"),
        )
        return "; ".join(f"{n} {what}{'s' if n > 1 else ''} {how}" for n, what, how in told if n)


class Mender:
    """Makes a recording's stamps credible; a pure state machine that looks one frame ahead.

    A stamp that the next frame's contradicts is an outlier: it is replaced by the middle of its neighbours. A
    step that the next frame goes along with begins a new stretch. After a step back, or one ahead by more than
    a minute, times go on one frame's time after the last; a shorter pause is kept as it is.
    """

    def __init__(self, period_ns: int | None = None) -> None:
        """``period_ns`` is what the header tells, for stamps that repeat before a rate could be measured."""
        self.mended = Mended()
        self._gaps: deque[int] = deque(maxlen=_GAPS)
        self._header_ns = period_ns
        self._shift_ns = 0
        self._raw_ns: int | None = None
        self._last_ns: int | None = None
        self._stretch = 0

    def add(self, raw_ns: int | None, next_ns: int | None) -> Stamp:
        """Return the time of a frame.

        Args:
            raw_ns: Its own stamp; None where it has none.
            next_ns: The stamp of the frame after it; None at the end, or where that has none.
        """
        if self._last_ns is None:
            self.mended.missing += raw_ns is None
            first_ns = (
                raw_ns if raw_ns is not None else (next_ns or 0) - self._period_ns * (next_ns is not None)
            )
            return self._take(first_ns, raw_ns)
        after_ns = None if next_ns is None else next_ns + self._shift_ns - self._last_ns
        if raw_ns is None or raw_ns == self._raw_ns:
            self.mended.missing += raw_ns is None
            self.mended.repeated += raw_ns is not None
            return self._between(after_ns, self._raw_ns)
        gap_ns = raw_ns + self._shift_ns - self._last_ns
        follows_ns = None if next_ns is None else next_ns - raw_ns
        goes_on = follows_ns is not None and 0 <= follows_ns <= _PAUSE_NS
        if after_ns is not None and after_ns > 0 and self._near(after_ns) and not 0 < gap_ns <= after_ns:
            # The next frame is where it should be, and this one is not before it.
            if self._raw_ns is None or gap_ns > 0 or raw_ns < self._raw_ns:
                self.mended.outliers += 1
            return self._between(after_ns, self._raw_ns)
        if gap_ns <= 0:
            if goes_on and (self._raw_ns is None or raw_ns < self._raw_ns):
                self.mended.rewinds += 1
                return self._anew(raw_ns, self._last_ns + self._period_ns)
            self.mended.outliers += 1
            return self._between(None, self._raw_ns)
        if self._near(gap_ns) or self._is_the_rate(gap_ns, follows_ns):
            self._gaps.append(gap_ns)
            return self._take(self._last_ns + gap_ns, raw_ns)
        if gap_ns <= _PAUSE_NS:
            self.mended.pauses += 1
            return self._anew(raw_ns, self._last_ns + gap_ns)
        if goes_on:
            self.mended.leaps += 1
            return self._anew(raw_ns, self._last_ns + self._period_ns)
        self.mended.outliers += 1
        return self._between(None, self._raw_ns)

    @property
    def _period_ns(self) -> int:
        """One frame's time: measured, or told by the header, or a guess that keeps the order."""
        return int(median(self._gaps)) if self._gaps else self._header_ns or 1_000_000

    def _near(self, step_ns: int) -> bool:
        """Whether a step is no break: up to a second, or some frames' times where these are longer."""
        return step_ns <= _BREAK_NS or step_ns <= _FAR * self._period_ns

    def _is_the_rate(self, gap_ns: int, follows_ns: int | None) -> bool:
        """A picture a minute has no neighbour within a second."""
        return not self._gaps and (follows_ns is None or 0 < gap_ns <= _FAR * follows_ns)

    def _between(self, after_ns: int | None, raw_ns: int | None) -> Stamp:
        """Put the frame half-way to the next one where there is room, else one frame's time after the last."""
        room = after_ns is not None and after_ns > 1 and self._near(after_ns)
        step_ns = after_ns // 2 if room and after_ns is not None else self._period_ns
        return self._take((self._last_ns or 0) + step_ns, raw_ns)

    def _anew(self, raw_ns: int, t_ns: int) -> Stamp:
        self._stretch += 1
        self._shift_ns = t_ns - raw_ns
        return self._take(t_ns, raw_ns)

    def _take(self, t_ns: int, raw_ns: int | None) -> Stamp:
        self._last_ns, self._raw_ns = t_ns, raw_ns
        return Stamp(t_ns, self._stretch)


class Stamps:
    """Takes each frame's time in turn; the measured rate may be asked for from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[int] = deque()
        self._count = 0
        self._first_ns: int | None = None
        self._stretch = 0
        self._pauses_ns = 0
        self._nudged = 0

    @property
    def first_ns(self) -> int | None:
        """Time of the first frame, None before it."""
        return self._first_ns

    @property
    def nudged(self) -> int:
        """Frames whose time did not come after the one before and was set 1 us after it."""
        return self._nudged

    def add(self, raw_ns: int, stretch: int = 0) -> int:
        """Return the time of the next frame, ns: ``raw_ns``, or 1 us after the last if that is not later.

        A gap at the start of a new ``stretch`` does not count for the rates.
        """
        with self._lock:
            t_ns = raw_ns
            if self._recent and t_ns <= self._recent[-1]:
                t_ns = self._recent[-1] + _NUDGE_NS
                self._nudged += 1
            if self._first_ns is None:
                self._first_ns = t_ns
            if stretch != self._stretch:
                self._stretch = stretch
                self._pauses_ns += t_ns - self._recent[-1] if self._recent else 0
                self._count -= 1 if self._recent else 0
                self._recent.clear()
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
            if not self._recent:
                return 0.0
            return _rate(self._count, (self._first_ns or 0) + self._pauses_ns, self._recent[-1])


def _rate(count: int, first_ns: int, last_ns: int) -> float:
    return (count - 1) * 1e9 / (last_ns - first_ns) if last_ns > first_ns else 0.0

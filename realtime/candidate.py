"""A candidate movement of one part of the face: rises out of the noise, peaks, returns. Pure; in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.signals import Array, History


@dataclass(frozen=True, slots=True)
class TrackConfig:
    """Thresholds of the state machine; times in seconds, displacements in px of the 224 px crop."""

    trigger: float = 1.8
    """Root mean square of the whitened displacement at which a candidate starts; noise has 1."""
    floor_px: float = 0.2
    """Least displacement of one region for a candidate."""
    drop: float = 0.08
    """Relative fall from the maximum that declares the apex ..."""
    drop_noise: float = 1.5
    """... but at least this many noise units."""
    settled: float = 0.14
    """Part of the maximum at which the movement counts as returned."""
    longest_s: float = 0.70
    """From onset to offset; what lasts longer is no micro-expression."""
    longest_rise_s: float = 0.42
    stall_s: float = 0.10
    """A fall that stops short of the baseline for this long has ended."""
    rest_s: float = 0.04
    """Between the end of one candidate and the start of the next."""


_ONSET_STEPS = np.linspace(-0.10, 0.10, 11)
_APEX_STEPS = np.linspace(-0.02, 0.02, 5)
_OFFSET_STEPS = np.linspace(-0.10, 0.10, 11)
"""Seconds about the first estimates that are tried."""


@dataclass(slots=True)
class Shape:
    """The course of a finished rise (and fall): what scores and Spots are made from."""

    onset_ns: int
    apex_ns: int
    offset_ns: int | None
    amplitude: float
    """At the apex, noise units along the candidate's own direction."""
    rest: float
    """Part of the amplitude that is left when the fall has ended."""


class Track:
    """State machine of one group of regions: idle -> rise -> fall -> idle."""

    def __init__(self, config: TrackConfig, rows: list[int]) -> None:
        self.config = config
        self.rows = rows
        self.state: Literal["idle", "rise", "fall"] = "idle"
        self.base = np.zeros((len(rows), 2))
        """(n, 2) displacement that the candidate is measured from; frozen while there is one."""
        self.shape: Shape | None = None
        self._sigma = np.ones((len(rows), 2))
        self._peak = np.zeros((len(rows), 2))  # whitened displacement at the maximum
        self._height = 0.0
        self._peak_ns = self._start_ns = self._end_ns = self._low_ns = 0
        self._lowest = 0.0

    def reset(self) -> None:
        """Back to idle."""
        self.state, self.shape = "idle", None

    @property
    def peak_px(self) -> Array:
        """(n, 2) displacement at the maximum, px."""
        return self._peak * self._sigma

    def step(
        self, t_ns: int, values: Array, base: Array, sigma: Array, history: History
    ) -> Literal["", "start", "apex", "end", "abort"]:
        """Take the (n, 2) smoothed displacements of one frame; say what happened.

        ``base`` and ``sigma`` are the running baseline and noise of the group, px; those at the start of a
        candidate are kept for its whole life.
        """
        c = self.config
        if self.state == "idle":
            z = (values - base) / sigma
            level = float(np.sqrt(np.mean(z * z)))
            far = float(np.abs(values - base).max())
            if level < c.trigger or far < c.floor_px or t_ns - self._end_ns < c.rest_s * 1e9:
                return ""
            self.state, self.shape = "rise", None
            self.base, self._sigma = base.copy(), sigma.copy()
            self._peak, self._height = z, float(np.sqrt(np.sum(z * z)))
            self._start_ns = self._peak_ns = t_ns
            return "start"
        z = (values - self.base) / self._sigma
        height = float(np.sqrt(np.sum(z * z)))
        along = float(np.sum(z * self._peak)) / max(self._height, 1e-9)
        if self.state == "rise":
            if height > self._height:
                self._peak, self._height, self._peak_ns = z, height, t_ns
            if t_ns - self._start_ns > c.longest_rise_s * 1e9:
                return self._end(t_ns, "abort")
            if self._height - along < max(c.drop * self._height, c.drop_noise):
                return ""
            self.shape = self._measure(t_ns, along, history)
            self.state = "fall"
            self._lowest, self._low_ns = along, t_ns
            return "apex"
        assert self.shape is not None
        if along > 1.15 * self._height or t_ns - self.shape.onset_ns > c.longest_s * 1e9:
            return self._end(t_ns, "abort")
        if along < self._lowest - 0.03 * self._height:
            self._lowest, self._low_ns = along, t_ns
        part = along / self._height
        stalled = t_ns - self._low_ns > c.stall_s * 1e9 and part < 0.75
        if self.shape.offset_ns is None:
            if part > max(c.settled, min(0.4, 2.0 / self._height)) and not stalled:
                return ""
            self.shape.offset_ns = self._offset(t_ns, stalled, history)
        if t_ns < self.shape.offset_ns and part < 0.75:
            return ""  # the end is foreseen; whether the face then rests says more than the fall did
        self.shape.rest = part
        if not stalled:
            self._refine(t_ns, history)
        return self._end(t_ns, "end")

    def fit(self, history: History) -> tuple[float, float]:
        """Unrest before the onset, and misfit to raised cosines since then; the apex is 1."""
        assert self.shape is not None
        s = self.shape
        times, course = self._course(history, s.onset_ns - 200_000_000)
        early = times <= s.onset_ns
        before = float(np.sqrt(np.mean(np.square(course[early])))) if early.any() else 0.0
        t = times[~early]
        end = s.offset_ns if s.offset_ns is not None else s.apex_ns
        t = t[t <= max(end, s.apex_ns)]
        if not len(t):
            return before, 0.0
        rise = (t - s.onset_ns) / max(1, s.apex_ns - s.onset_ns)
        fall = (t - s.apex_ns) / max(1, end - s.apex_ns)
        ideal = 0.5 - 0.5 * np.cos(np.pi * np.clip(rise, 0, 1))
        ideal *= 0.5 + 0.5 * np.cos(np.pi * np.clip(fall, 0, 1)) if s.offset_ns is not None else 1.0
        seen = course[~early][: len(t)]
        return before, float(np.sqrt(np.mean(np.square(seen - ideal))))

    def _refine(self, t_ns: int, history: History) -> None:
        """Place onset, apex and offset where raised cosines fit the whole course best.

        The direction is that of the whole course instead of its highest frame, the level before the onset is
        free: single frames are noisy at low rates.
        """
        s = self.shape
        assert s is not None
        assert s.offset_ns is not None
        rows = history.since(s.onset_ns - 200_000_000)
        times = history.times(rows)
        z = ((history.values(rows)[:, self.rows] - self.base) / self._sigma).reshape(len(times), -1)
        rough = z @ self._peak.ravel()
        inside = (times >= s.onset_ns) & (times <= s.offset_ns)
        if inside.sum() < 3:
            return
        course = z @ (rough[inside] @ z[inside])
        course = course / max(float(np.abs(course).max()), 1e-12)
        t = (times - s.apex_ns) * 1e-9
        onset = (s.onset_ns - s.apex_ns) * 1e-9 + _ONSET_STEPS
        offset = np.minimum((s.offset_ns - s.apex_ns) * 1e-9 + _OFFSET_STEPS, (t_ns - s.apex_ns) * 1e-9)
        a, b, c = onset[:, None], _APEX_STEPS, offset[:, None]  # (A, 1), (B,), (C, 1)
        usable = (b - a > 0.03).T[:, :, None] & (c - b > 0.03).T[:, None]  # (B, A, C)
        rise = np.clip((t - a[..., None]) / np.maximum(b - a, 0.03)[..., None], 0, 1)  # (A, B, T)
        fall = np.clip((t - b[:, None]) / np.maximum(c - b, 0.03)[..., None], 0, 1)  # (C, B, T)
        up = 0.5 - 0.5 * np.cos(np.pi * rise.swapaxes(0, 1))  # (B, A, T)
        down = 0.5 + 0.5 * np.cos(np.pi * fall.transpose(1, 2, 0))  # (B, T, C)
        # Correlation of the course with every pulse up * down, without making the A x B x C pulses.
        y = course - course.mean()
        energy = np.square(up) @ np.square(down) - np.square(up @ down) / len(t)
        explained = np.square((up * y) @ down) / np.maximum(energy, 1e-12) / max(float(y @ y), 1e-12)
        # A tenth of the energy per 0.1 s away from the first estimate: data that say little change little.
        start = np.abs(_ONSET_STEPS)[:, None] + np.abs(offset - offset[len(offset) // 2])  # (A, C)
        worth = explained - 0.3 * (start + np.abs(b)[:, None, None])
        best = np.unravel_index(int(np.argmax(np.where(usable, worth, -np.inf))), usable.shape)
        if usable[best]:
            apex_ns = s.apex_ns
            s.onset_ns = apex_ns + int(onset[best[1]] * 1e9)
            s.apex_ns = apex_ns + int(b[best[0]] * 1e9)
            s.offset_ns = apex_ns + int(offset[best[2]] * 1e9)

    def _end(self, t_ns: int, how: Literal["end", "abort"]) -> Literal["end", "abort"]:
        self.state, self._end_ns = "idle", t_ns
        return how

    def _course(self, history: History, since_ns: int) -> tuple[NDArray[np.int64], Array]:
        """Times and displacement along the candidate's own direction, 1 at the maximum."""
        rows = history.since(since_ns)
        z = (history.values(rows)[:, self.rows] - self.base) / self._sigma
        return history.times(rows), np.einsum("tij,ij->t", z, self._peak) / self._height**2

    def _measure(self, t_ns: int, along: float, history: History) -> Shape:
        times, course = self._course(history, self._peak_ns - 600_000_000)
        top = max(1, int(np.searchsorted(times, self._peak_ns)))
        top = min(top, len(times) - 1)
        low = along / self._height
        # Apex: middle of the stretch above the level that the fall has reached, which has no late bias.
        left = _crossing(times, course, top, low, -1)
        apex = int(0.5 * (left + t_ns)) if left is not None else self._peak_ns
        apex = int(0.5 * (apex + self._peak_ns))
        # Onset: a raised cosine passes 20 % and 80 % of its height 0.41 of its length apart.
        t20, t80 = (_crossing(times, course, top, part, -1) for part in (0.25, 0.75))
        if t20 is None or t80 is None:
            onset = int(times[0]) if t80 is None else int(t80)
        else:
            onset = int(t20 - (t80 - t20) * 1.0)
            zero = _crossing(times, course, top, 0.0, -1)
            onset = max(onset, int(zero)) if zero is not None else onset
        onset = min(onset, apex)
        return Shape(max(onset, int(times[0])), apex, None, self._height, low)

    def _offset(self, t_ns: int, stalled: bool, history: History) -> int:
        """Offset by extrapolating the fall, never further ahead than it has come; never before the apex."""
        assert self.shape is not None
        if stalled:
            return max(self._low_ns, self.shape.apex_ns)
        times, course = self._course(history, self._peak_ns - 600_000_000)
        high = _crossing(times, course, len(times) - 1, 0.75, -1)
        middle = _crossing(times, course, len(times) - 1, 0.40, -1)
        if high is None or middle is None or middle <= high:
            return t_ns
        # Raised cosine: 75 % of the height at 1/3 of the fall's length, 40 % at 0.564 of it.
        length = (middle - high) / (0.564 - 0.333)
        end = high + (1.0 - 0.333) * length
        return int(np.clip(end, t_ns - 40_000_000, t_ns + 80_000_000))


def _crossing(times: NDArray[np.int64], course: Array, start: int, level: float, step: int) -> float | None:
    """Time at which ``course``, followed from row ``start`` by ``step``, first crosses ``level``."""
    piece = course[start::step] if step > 0 else course[start::-1]
    above = piece[0] > level
    other = np.flatnonzero((piece > level) != above)
    if not len(other):
        return None
    k = int(other[0])
    a, b = start + step * (k - 1), start + step * k
    share = (course[a] - level) / (course[a] - course[b])
    return float(times[a] + share * (times[b] - times[a]))

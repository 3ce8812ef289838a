"""Macro-expressions, of .5 to 4 s, which the spotter passes over: rules on the same motion, beside it and unseen by it.

A part of the face leaves its place of rest, stays away for a while and comes back. No coefficient is fitted: the
figures are in px of the 224 px crop and seconds. Time arrives in the data.
"""

from __future__ import annotations

import numpy as np

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.types import Moment, Motion, Span

_PARTS = np.setdiff1d(np.arange(len(REGIONS)), region("lid", "under_eye"))
"""Whose movement counts: blinks and gaze are none."""
_AWAY_PX, _NEAR_PX = 1.5, 0.6
"""Beyond the first a part has left its rest; it set out when it was last nearer than the second."""
_BACK = 0.25
"""Part of its height below which it has come back."""
_SHORTEST_NS, LONGEST_NS = 500_000_000, 4_000_000_000
"""Onset to offset: what is shorter is the spotter's, what is longer is how the face is now."""
_REST_S, _SMOOTH_S = 3.0, 0.06
"""Time constants: how slowly the place of rest follows the face, how much of noise is averaged."""
_WARM_UP_NS = 400_000_000
"""A face must have been seen that long before its movement sets out: where it rests is not known before."""
_SPEAKING = 0.25
"""Share of the time in which a face may speak."""


class Lasting:
    """Feed every frame in order; a call returns the span of an expression that has just ended."""

    def __init__(self) -> None:
        self._last: Moment | None = None
        self._appeared_ns = 0
        self._now = self._rest = np.zeros((len(_PARTS), 2))
        self._forget()

    def _forget(self) -> None:
        self._onset: Moment | None = None
        """When it was last at rest."""
        self._apex: Moment | None = None
        """When it was farthest away so far; None while it is at rest."""
        self._farthest = self._rest
        self._spoke_ns = 0

    def update(self, motion: Motion | None, speaking: float) -> Span | None:
        """Take one frame's motion, None without a face, and how likely it is that the face speaks, 0..1."""
        if motion is None or motion.repeated:
            if motion is None:
                self._last = None
            return None
        now, before = Moment(motion.index, motion.t_ns), self._last
        regions = motion.regions[_PARTS].astype(np.float64)
        self._last = now
        if before is None:
            self._now = self._rest = regions
            self._appeared_ns = now.t_ns
            self._forget()
            self._onset = now
            return None
        step_s = (now.t_ns - before.t_ns) / 1e9
        self._now = self._now + (regions - self._now) * min(1.0, step_s / _SMOOTH_S)
        away = self._now - self._rest
        far = float(np.hypot(away[:, 0], away[:, 1]).max())
        if self._apex is None:
            self._rest = self._rest + away * min(1.0, step_s / _REST_S)
            if far < _NEAR_PX:
                self._onset = now
            elif far > _AWAY_PX:
                self._apex, self._farthest, self._spoke_ns = now, away, 0
            return None
        self._spoke_ns += (now.t_ns - before.t_ns) if speaking > 0.5 else 0
        if far > float(np.hypot(self._farthest[:, 0], self._farthest[:, 1]).max()):
            self._apex, self._farthest = now, away
        return self._ended(now, float((away * self._farthest).sum() / np.square(self._farthest).sum()))

    def _ended(self, now: Moment, left: float) -> Span | None:
        assert self._onset is not None
        assert self._apex is not None
        span, lasted_ns = Span(self._onset, self._apex, now), now.t_ns - self._onset.t_ns
        if left > _BACK and lasted_ns <= LONGEST_NS:
            return None
        clear = self._spoke_ns <= _SPEAKING * lasted_ns and span.onset.t_ns - self._appeared_ns >= _WARM_UP_NS
        if lasted_ns > LONGEST_NS:
            self._rest = self._now
        self._forget()
        self._onset = now
        return span if clear and _SHORTEST_NS <= lasted_ns <= LONGEST_NS else None

"""What becomes of an event after it has been announced as final: it is held, then settled or withdrawn.

A movement that comes quickly may fade slowly: a quarter of CAS(ME)^3 takes over 0.9 s to fall. It is followed down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mer_live.realtime.spotter.config import Judged, SpotterConfig
from mer_live.realtime.spotter.context import Trail, around
from mer_live.realtime.spotter.evidence import EVIDENCE, evidence
from mer_live.realtime.spotter.hypothesis import Hypothesis
from mer_live.realtime.spotter.pattern import pattern
from mer_live.realtime.spotter.score import Scorer
from mer_live.realtime.spotter.signals import Array, History
from mer_live.realtime.spotter.window import Window
from mer_live.realtime.types import Moment, Phase, Spot

_LIDS_MOVED, _HEAD_MOVED = 1.6, 0.0
FADES = "fades slowly"
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
    back_ns: int = 0
    """When it was first back; 0: it was not."""

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
    since = times[times >= h.apex_ns]
    after: Array = course[times >= h.apex_ns] - base
    height = float(np.median(after[: max(1, len(after) // 12)])) if len(after) else 0.0
    if abs(height) < _LEAST_PX:
        return Fall(0.0, 1.0)
    part = after / height
    back = since[part < _LEFT]
    rose = float((part - np.minimum.accumulate(part)).max())
    return Fall(float(part[-3:].mean()), rose, int(back[0]) if len(back) else 0)


@dataclass(slots=True)
class _Open:
    """An event that is held; without a spot, a candidate for those who listen."""

    h: Hypothesis
    spot: Spot | None
    fades: bool = False


class Settling:
    """Holds what is final and not yet settled.

    Args:
        config: sensitivity and times.
        scorer: judges by the surroundings.
        window: what is seen of the face.
        listen: called with every judgement.
    """

    def __init__(
        self, config: SpotterConfig, scorer: Scorer, window: Window, listen: Callable[[Judged], None] | None
    ) -> None:
        self._config, self._scorer, self._window, self._listen = config, scorer, window, listen
        self._open: list[_Open] = []
        self._others = Trail()

    def clear(self) -> None:
        """Forget the face; nothing is open any more."""
        self._open.clear()
        self._others.clear()

    def judge(self, h: Hypothesis, now: Moment) -> float:
        """Probability that a movement which has just ended is one."""
        seen = self._seen(h)
        self._others.add(h.apex_ns, h.score)
        h.score = self._scorer.judge("final", seen)
        self._tell("final", h, seen, now)
        return h.score

    def hold(self, h: Hypothesis, spot: Spot | None, *, fades: bool = False) -> None:
        """Hold it until what follows has told; without a spot only where somebody listens."""
        if spot is not None or self._listen is not None:
            self._open.append(_Open(h, spot, fades))

    def due(self, now: Moment) -> list[Spot]:
        """Close what has been held long enough."""
        newest_ns = self._window.now_ns
        settled_ns = newest_ns - self._config.settle_s * 1e9
        spots, still = list[Spot](), list[_Open]()
        for one in self._open:
            closed = self._faded(one, now) if one.fades else None
            if not one.fades and one.h.offset_ns <= settled_ns:
                closed = self._settle(one, now)
            if closed is None:
                still.append(one)
            else:
                spots += closed
        self._open = still
        return spots

    def close(self, now: Moment) -> list[Spot]:
        """No more will be seen: decide by what there is."""
        spots = [s for one in self._open for s in (self._settle(one, now))]
        self._open = []
        return spots

    def _settle(self, one: _Open, now: Moment) -> list[Spot]:
        if one.fades:
            return [] if one.spot is None else [self._closed(one.spot, one.spot.reason, now, stands=True)]
        seen = self._seen(one.h)
        score = one.h.score = self._scorer.judge("settled", seen)
        self._tell("settled", one.h, seen, now)
        if one.spot is None:
            return []
        stands = score >= self._config.threshold
        spot = replace(one.spot, score=score)
        return [self._closed(spot, "" if stands else _doubt(seen), now, stands=stands)]

    def _faded(self, one: _Open, now: Moment) -> list[Spot] | None:
        """A slow fade is settled where it ends, or open after all, unless something else begins; None: not yet."""
        assert one.spot is not None
        seen = fall(one.h, self._window.history)
        if self._window.speech > 0 or seen.broken:
            reason = "speech" if self._window.speech > 0 else "went on moving"
            return [self._closed(one.spot, reason, now, stands=False)]
        if seen.ended:
            span = replace(one.spot.span, offset=self._window.history.moment_at(seen.back_ns))
            return [self._closed(replace(one.spot, span=span), "", now, stands=True)]
        if self._window.now_ns - one.h.onset_ns > self._config.longest_fade_s * 1e9:
            return [self._closed(one.spot, FADES, now, stands=True)]
        return None

    @staticmethod
    def _closed(spot: Spot, reason: str, now: Moment, *, stands: bool) -> Spot:
        phase: Phase = "settled" if stands else "withdrawn"
        return replace(spot, phase=phase, reason=reason, decided=now)

    def _seen(self, h: Hypothesis) -> Array:
        """(len(EVIDENCE),) all that is known of a finished movement by now."""
        window = self._window
        span = (h.onset_ns, h.apex_ns, h.offset_ns)
        surroundings = around(
            window.history,
            span,
            h.weights,
            window.now_ns,
            window.speaking,
            self._others,
            h.log_odds,
            window.age_s,
        )
        return evidence(h.features, surroundings, pattern(window.history, span))

    def _tell(self, phase: Literal["final", "settled"], h: Hypothesis, seen: Array, now: Moment) -> None:
        if self._listen is not None:
            self._listen(Judged(phase, h.span(self._window.history), seen, h.score, now))


def _doubt(seen: Array) -> str:
    """Why a finished movement is taken back, by the most conspicuous thing around it."""
    at = dict(zip(EVIDENCE, seen.tolist(), strict=True))
    if max(at["speaking_during"], at["speaking_after"]) > 0:
        return "speech"
    if max(at["lid_during"], at["lid_after"]) > _LIDS_MOVED:
        return "blink"
    if max(at["head_during"], at["head_after"]) > _HEAD_MOVED:
        return "head moved"
    return "did not return" if at["along_left"] > 0.5 else "went on moving"

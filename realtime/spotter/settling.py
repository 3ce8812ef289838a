"""What becomes of an event after it has been announced as final: it is watched, then settled or withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from mer_live.realtime.spotter.config import Judged, SpotterConfig
from mer_live.realtime.spotter.context import Trail, around
from mer_live.realtime.spotter.evidence import EVIDENCE, evidence
from mer_live.realtime.spotter.fading import fall
from mer_live.realtime.spotter.hypothesis import Hypothesis
from mer_live.realtime.spotter.score import Scorer
from mer_live.realtime.spotter.signals import Array
from mer_live.realtime.spotter.window import Window
from mer_live.realtime.types import Moment, Phase, Spot

_LIDS_MOVED, _HEAD_MOVED = 1.6, 0.0
FADES = "fades slowly"


@dataclass(slots=True)
class _Open:
    """An event that is watched; without a spot, a candidate for those who listen."""

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

    def watch(self, h: Hypothesis, spot: Spot | None, *, fades: bool = False) -> None:
        """Watch what follows; without a spot only where somebody listens."""
        if spot is not None or self._listen is not None:
            self._open.append(_Open(h, spot, fades))

    def due(self, now: Moment) -> list[Spot]:
        """Close what has been watched long enough."""
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
            return [] if one.spot is None else [self._closed(one.spot, FADES, now, stands=True)]
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
            span = replace(one.spot.span, offset=now)
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
        return evidence(h.features, surroundings)

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

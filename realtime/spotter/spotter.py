"""The causal spotter: region displacements in, onset/apex/offset decisions out; no clock, thread or I/O.

Every 20 ms a matched filter (matched.py) compares the face's last second with movements that have just turned
back (provisional) or ended (final). The best hypothesis is kept until none better comes, then placed exactly and
judged by its surroundings (context.py, score.py); what follows settles it or takes it back (settling.py). Every
constant is in seconds or px, none in frames, and an answer depends on past frames only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Literal

import numpy as np

from mer_live.realtime.motion.stage import FlowSpec
from mer_live.realtime.spotter.config import Judged, SpotterConfig
from mer_live.realtime.spotter.hypothesis import Hypothesis
from mer_live.realtime.spotter.intervals import Intervals
from mer_live.realtime.spotter.matched import FEATURES, Matched
from mer_live.realtime.spotter.pulses import COURSES, FINISHED, TURNED
from mer_live.realtime.spotter.score import Scorer, probability
from mer_live.realtime.spotter.settling import FADES, Settling, fall, quick
from mer_live.realtime.spotter.signals import Array
from mer_live.realtime.spotter.window import Window
from mer_live.realtime.types import Moment, Motion, Speaking, Spot

__all__ = ["Judged", "Spotter", "SpotterConfig"]

_GAP_NS = 300_000_000
_WAIT_NS, _WAIT_SURE_NS, _SURE = 38_000_000, 18_000_000, 0.9
"""A best hypothesis that none has beaten for the first is decided on; for the second if its score is high."""
_LEAST = 0.2
"""By its course alone; what scores less is not looked at further."""
_LARGEST_DRIFT = 0.8
"""Drift over 0.3 s against the amplitude; beyond, a fit explains a large rise by a small fall on the way."""
_LIDS_MOVED, _HEAD_MOVED = 1.6, float(np.log(26.0))
_LID, _HEAD, _DRIFT = (FEATURES.index(name) for name in ("lid", "head_speed", "drift"))


class Spotter:
    """Feed every frame in order; each call returns the decisions that this frame made possible.

    Args:
        config: sensitivity and limits.
        listen: called with every scored candidate, announced or not.
        scorer: other coefficients than those shipped.
        window: other looks at the face than those at the motion that comes; the fit has looked beforehand.
        ids: numbers of the candidates, where several spotters share them; else 1, 2, ...
    """

    def __init__(
        self,
        config: SpotterConfig | None = None,
        listen: Callable[[Judged], None] | None = None,
        scorer: Scorer | None = None,
        window: Window | None = None,
        ids: Iterator[int] | None = None,
    ) -> None:
        self.config = config or SpotterConfig()
        self._scorer = scorer or Scorer.load()
        self._listen = listen
        self._window = window or Window(self._scorer)
        self._last: Motion | None = None
        self._rising: Hypothesis | None = None
        self._held: Hypothesis | None = None
        self._announced: Spot | None = None
        self._rise: Hypothesis | None = None
        """The rise of what has been announced."""
        self._settling = Settling(self.config, self._scorer, self._window, listen)
        self._speaking = Intervals()
        self.ids = count(1) if ids is None else ids
        """Numbers of the candidates to come."""
        self._busy_until_ns = -(10**18)

    @property
    def flow(self) -> FlowSpec:
        """The dense flow that its motion must be measured with, as named in the coefficients' file."""
        return self._scorer.flow

    @property
    def level(self) -> float:
        """Largest displacement of any region over 0.16 s, in units of its usual movement; for display."""
        return self._window.filter.level if self._window.age_s > 0 else 0.0

    @property
    def speaking(self) -> float:
        """0..1: how likely it is that the face speaks, by the last second of jaw and lips; 0 without a face."""
        return float(probability(np.array(self._window.speech))) if self._window.age_s > 0 else 0.0

    def take_speaking(self) -> list[Speaking]:
        """Times of speech that have begun or ended since the last call."""
        return self._speaking.take()

    @property
    def phase(self) -> Literal["idle", "onset", "apex", "cooldown"]:
        """What the face is doing: something may be rising, an announced one falls, or one has just ended."""
        if self._announced is not None:
            return "apex"
        if self._rising is not None:
            return "onset"
        if self._last is not None and self._last.t_ns < self._busy_until_ns + 2e8:
            return "cooldown"
        return "idle"

    def update(self, motion: Motion | None, t_ns: int) -> list[Spot]:
        """Take one frame's motion, None while there is no face.

        Raises:
            ValueError: frames out of order, or motion that is not a number.
        """
        last = self._last
        if motion is None:
            spots = [] if last is None else self._close("face lost", Moment(last.index, t_ns))
            self._clear()
            return spots
        if last is not None and motion.t_ns <= last.t_ns:
            raise ValueError(f"frames must come in order of time: {motion.t_ns} after {last.t_ns} ns")
        if not motion.finite:
            raise ValueError(f"the motion of frame {motion.index} is not a number")
        if motion.repeated:
            return []
        spots = []
        if last is not None and motion.t_ns - last.t_ns > _GAP_NS:
            spots = self._close("frames missing", Moment(motion.index, motion.t_ns))
            self._clear()
        self._last = motion
        if not self._window.add(motion):
            return spots
        self._speaking.add(self._window.now_ns, self._window.speech)
        if self._window.age_s >= self.config.warm_up_s:
            found = self._window.match()
            now = Moment(motion.index, motion.t_ns)
            spots += self._settling.due(now)
            spots += self._finished(found, now)
            spots += self._turned(found, now)
        return spots

    def finish(self) -> list[Spot]:
        """The stream has ended: every event that is still open is closed by what has been seen of it."""
        last = self._last
        spots = [] if last is None else self._close("the recording ended", Moment(last.index, last.t_ns))
        self._clear()
        return spots

    def _close(self, reason: str, now: Moment) -> list[Spot]:
        return self._withdraw(reason, now) + self._settling.close(now)

    def _clear(self) -> None:
        self._window.clear()
        self._settling.clear()
        self._speaking.close()
        self._last = self._rising = self._held = None

    def _best(self, found: Matched, rows: slice, score: Callable[[Array], Array]) -> Hypothesis | None:
        """The most probable hypothesis that begins after the last event; None where none is worth a look."""
        now = self._window.now_ns
        onsets = now - COURSES.onset[rows] * 1e9
        free = onsets >= self._busy_until_ns + self.config.apart_s * 1e9
        free &= found.largest_px[rows] >= self.config.smallest_px
        free &= found.largest_px[rows] <= self.config.largest_px
        free &= found.features[rows, _DRIFT] <= _LARGEST_DRIFT
        log_odds = score(found.features[rows])
        scores = np.where(free, probability(log_odds), 0.0)
        k = int(np.argmax(scores))
        if scores[k] < _LEAST:
            return None
        at = k + rows.start
        return Hypothesis(
            score=float(scores[k]),
            onset_ns=int(onsets[k]),
            apex_ns=int(now - COURSES.apex[at] * 1e9),
            offset_ns=int(now - COURSES.offset[at] * 1e9),
            weights=found.weights[at],
            features=found.features[at],
            found_ns=now,
            log_odds=float(log_odds[k]),
        )

    def _turned(self, found: Matched, now: Moment) -> list[Spot]:
        best = self._best(found, TURNED, self._scorer.apex)
        before = self._announced
        if before is not None:
            if now.t_ns - before.span.onset.t_ns > (self.config.longest_s + 0.1) * 1e9:
                return self._overdue(found.features[0], now)
            return []
        held, self._rising = self._rising, best
        if held is not None and (best is None or best.score < held.score):
            self._tell(held, now)
        if best is None or best.score < self.config.provisional:
            return []
        best.place(self._window.history)
        self._tell(best, now)
        self._rise = best
        span = best.span(self._window.history, ended=False)
        self._announced = Spot(next(self.ids), "apex", span, best.score, now)
        return [self._announced]

    def _overdue(self, features: Array, now: Moment) -> list[Spot]:
        """An announced movement that has not ended in time, or that nothing saw end: one that fades slowly, or none."""
        spot, rise = self._announced, self._rise
        assert spot is not None
        assert rise is not None
        calm = self._window.speech < 0 and features[_HEAD] < _HEAD_MOVED
        seen = fall(rise, self._window.history)
        # Its score stays that of the apex: how it fades is a rule, and no probability. One that was back in time is
        # no slow fade: nothing saw it end, or what did was not believed.
        back = seen.ended and spot.score >= self.config.threshold
        if not (calm and quick(rise) and (seen.fades or back) and not seen.broken):
            return self._withdraw(_reason(features, ended=seen.ended), now)
        self._announced = None
        self._busy_until_ns = self._window.now_ns
        offset = self._window.history.moment_at(seen.back_ns) if seen.ended else None
        span = replace(spot.span, offset=offset)
        final = replace(spot, phase="offset", span=span, reason="" if seen.ended else FADES, decided=now)
        self._settling.hold(rise, final, fades=True)
        return [final]

    def _finished(self, found: Matched, now: Moment) -> list[Spot]:
        best = self._best(found, FINISHED, self._scorer.offset)
        held = self._held
        if held is None or (best is not None and best.score > held.score and best.onset_ns < held.offset_ns):
            self._held = best
            return []
        wait_ns = _WAIT_NS if held.score < _SURE else _WAIT_SURE_NS
        if best is not None and best.onset_ns < held.offset_ns and now.t_ns - held.found_ns < wait_ns:
            return []
        self._held = None
        held.place(self._window.history)
        if self._settling.judge(held, now) < self.config.threshold:
            self._settling.hold(held, None)
            return []
        if held.offset_ns - held.onset_ns > self.config.longest_s * 1e9:
            return []  # what was announced is overdue soon, and then it is known whether it fades
        before = self._announced
        if before is not None and before.span.onset.t_ns < held.offset_ns:
            number, self._announced = before.id, None
        else:
            number = next(self.ids)
        self._busy_until_ns = held.offset_ns
        spot = Spot(number, "offset", held.span(self._window.history), held.score, now)
        self._settling.hold(held, spot)
        return [spot]

    def _withdraw(self, reason: str, now: Moment) -> list[Spot]:
        spot, self._announced = self._announced, None
        return [] if spot is None else [replace(spot, phase="withdrawn", reason=reason, decided=now)]

    def _tell(self, h: Hypothesis, now: Moment) -> None:
        if self._listen is not None:
            span = h.span(self._window.history, ended=False)
            self._listen(Judged("apex", span, h.features, h.score, now))


def _reason(features: Array, *, ended: bool) -> str:
    """Why an announced movement did not end as one, by the most conspicuous thing that has been going on."""
    if features[_LID] > _LIDS_MOVED:
        return "blink"
    if features[_HEAD] > _HEAD_MOVED:
        return "head moved"
    return "went on moving" if ended else "did not return"

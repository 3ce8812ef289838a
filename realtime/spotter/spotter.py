"""The causal spotter: region displacements in, onset/apex/offset decisions out; no clock, thread or I/O.

Every 20 ms a matched filter (matched.py) compares the face's last second with movements that have just turned
back (provisional) or ended (final). The best hypothesis is kept until none better comes, then placed exactly and
announced if its calibrated score suffices; what was announced and does not end well is withdrawn. Every constant
is in seconds or px, none in frames, and an answer depends on past frames only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.spotter.config import Judged, SpotterConfig
from mer_live.realtime.spotter.matched import FEATURES, Matched
from mer_live.realtime.spotter.pulses import COURSES, FINISHED, TURNED, refine
from mer_live.realtime.spotter.score import Scorer
from mer_live.realtime.spotter.signals import Array
from mer_live.realtime.spotter.watch import Reader, Watch
from mer_live.realtime.types import Moment, Motion, Span, Spot

__all__ = ["Judged", "Spotter", "SpotterConfig"]

_GAP_NS = 300_000_000
_WAIT_NS, _WAIT_SURE_NS, _SURE = 38_000_000, 18_000_000, 0.9
"""A best hypothesis that none has beaten for the first is decided on; for the second if its score is high."""
_LEAST = 0.01
"""Scores below are not looked at further."""
_LARGEST_DRIFT = 0.8
"""Drift over 0.3 s against the amplitude; beyond, a fit explains a large rise by a small fall on the way."""
_LID, _HEAD, _DRIFT = (FEATURES.index(name) for name in ("lid", "head_speed", "drift"))


@dataclass(slots=True)
class _Hypothesis:
    """A movement that may be one."""

    score: float
    onset_ns: int
    apex_ns: int
    offset_ns: int
    weights: Array
    features: Array
    found_ns: int


class Spotter:
    """Feed every frame in order; each call returns the decisions that this frame made possible.

    Args:
        config: sensitivity and limits.
        listen: called with every scored candidate, announced or not.
        scorer: other coefficients than those shipped.
    """

    def __init__(
        self,
        config: SpotterConfig | None = None,
        listen: Callable[[Judged], None] | None = None,
        scorer: Scorer | None = None,
    ) -> None:
        self.config = config or SpotterConfig()
        self._scorer = scorer or Scorer.load()
        self._listen = listen
        self._reader = Reader()
        self._watch = Watch(self._scorer.faces)
        self._last: Motion | None = None
        self._rising: _Hypothesis | None = None
        self._held: _Hypothesis | None = None
        self._announced: Spot | None = None
        self._count = 0
        self._busy_until_ns = -(10**18)

    @property
    def level(self) -> float:
        """Largest displacement of any region over 0.16 s, in units of its usual movement; for display."""
        return self._watch.filter.level if self._watch.age_s > 0 else 0.0

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
            spots = [] if last is None else self._withdraw("face lost", Moment(last.index, t_ns))
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
            spots = self._withdraw("frames missing", Moment(motion.index, motion.t_ns))
            self._clear()
        self._last = motion
        looked = self._watch.add(motion.t_ns, self._reader.read(motion), motion.index)
        if looked and self._watch.age_s >= self.config.warm_up_s:
            found = self._watch.filter.match()
            spots += self._finished(found, motion)
            spots += self._turned(found, motion)
        return spots

    def finish(self) -> list[Spot]:
        """End of the stream: what was announced and has not ended is withdrawn."""
        last = self._last
        spots = [] if last is None else self._withdraw("the recording ended", Moment(last.index, last.t_ns))
        self._clear()
        return spots

    def _clear(self) -> None:
        self._reader.clear()
        self._watch.clear()
        self._last = self._rising = self._held = None

    def _best(self, found: Matched, rows: slice, score: Callable[[Array], Array]) -> _Hypothesis | None:
        """The most probable hypothesis that begins after the last event; None where none is worth a look."""
        now = self._watch.now_ns
        onsets = now - COURSES.onset[rows] * 1e9
        free = onsets >= self._busy_until_ns + self.config.apart_s * 1e9
        free &= found.largest_px[rows] >= self.config.smallest_px
        free &= found.largest_px[rows] <= self.config.largest_px
        free &= found.features[rows, _DRIFT] <= _LARGEST_DRIFT
        scores = np.where(free, score(found.features[rows]), 0.0)
        k = int(np.argmax(scores))
        if scores[k] < _LEAST:
            return None
        at = k + rows.start
        return _Hypothesis(
            score=float(scores[k]),
            onset_ns=int(onsets[k]),
            apex_ns=int(now - COURSES.apex[at] * 1e9),
            offset_ns=int(now - COURSES.offset[at] * 1e9),
            weights=found.weights[at],
            features=found.features[at],
            found_ns=now,
        )

    def _turned(self, found: Matched, motion: Motion) -> list[Spot]:
        best = self._best(found, TURNED, self._scorer.apex)
        spots: list[Spot] = []
        before = self._announced
        if before is not None:
            if motion.t_ns - before.span.onset.t_ns > (self.config.longest_s + 0.1) * 1e9:
                spots = self._withdraw(_reason(found.features[0]), Moment(motion.index, motion.t_ns))
            return spots
        held, self._rising = self._rising, best
        if held is not None and (best is None or best.score < held.score):
            self._tell("apex", held, motion)
        if best is None or best.score < self.config.provisional:
            return spots
        self._count += 1
        self._place(best)
        self._tell("apex", best, motion)
        self._announced = self._spot(self._count, "apex", best, motion)
        return [self._announced]

    def _finished(self, found: Matched, motion: Motion) -> list[Spot]:
        best = self._best(found, FINISHED, self._scorer.offset)
        held = self._held
        if held is None or (best is not None and best.score > held.score and best.onset_ns < held.offset_ns):
            self._held = best
            return []
        wait_ns = _WAIT_NS if held.score < _SURE else _WAIT_SURE_NS
        if best is not None and best.onset_ns < held.offset_ns and motion.t_ns - held.found_ns < wait_ns:
            return []
        self._held = None
        self._place(held)
        self._tell("offset", held, motion)
        if held.score < self.config.threshold:
            return []
        if held.offset_ns - held.onset_ns > self.config.longest_s * 1e9:
            return self._withdraw("too long", Moment(motion.index, motion.t_ns))
        before = self._announced
        if before is not None and before.span.onset.t_ns < held.offset_ns:
            number, self._announced = before.id, None
        else:
            self._count += 1
            number = self._count
        self._busy_until_ns = held.offset_ns
        return [self._spot(number, "offset", held, motion)]

    def _place(self, h: _Hypothesis) -> None:
        """Onset, apex and offset to the frame, by the course along the candidate's own pattern."""
        history = self._watch.history
        rows = history.since(h.onset_ns - 150_000_000)
        times: NDArray[np.int64] = history.times(rows)
        values = history.values(rows)[:, : h.weights.size // 2]
        course = values.reshape(len(times), -1) @ h.weights
        seconds: Array = (times - h.apex_ns).astype(np.float64) * 1e-9
        first = ((h.onset_ns - h.apex_ns) * 1e-9, (h.offset_ns - h.apex_ns) * 1e-9)
        onset, apex, offset = refine(seconds, course, *first)
        middle = h.apex_ns
        h.onset_ns, h.apex_ns, h.offset_ns = (middle + round(s * 1e9) for s in (onset, apex, offset))

    def _spot(self, number: int, phase: Literal["apex", "offset"], h: _Hypothesis, m: Motion) -> Spot:
        history = self._watch.history
        offset = history.moment_at(h.offset_ns) if phase == "offset" else None
        span = Span(history.moment_at(h.onset_ns), history.moment_at(h.apex_ns), offset)
        return Spot(number, phase, span, h.score, Moment(m.index, m.t_ns))

    def _withdraw(self, reason: str, now: Moment) -> list[Spot]:
        spot, self._announced = self._announced, None
        return [] if spot is None else [replace(spot, phase="withdrawn", reason=reason, decided=now)]

    def _tell(self, phase: Literal["apex", "offset"], h: _Hypothesis, m: Motion) -> None:
        if self._listen is not None:
            self._listen(Judged(phase, h.onset_ns, h.apex_ns, h.offset_ns, h.features, h.score, m.t_ns))


def _reason(features: Array) -> str:
    """Why an announced movement did not end as one, by the most conspicuous thing that has been going on."""
    if features[_LID] > 1.6:
        return "blink"
    return "head moved" if features[_HEAD] > np.log(26.0) else "did not return"

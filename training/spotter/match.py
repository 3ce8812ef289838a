"""Decisions against truth, state by state: who found what, how exactly, how late, and what was taken for one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from mer_live.realtime.motion.stage import FlowSpec
from mer_live.realtime.spotter.score import Scorer
from mer_live.realtime.spotter.spotter import Judged, Spotter, SpotterConfig
from mer_live.realtime.types import Span, Spot, State
from mer_live.training.spotter.recordings import Recording
from mer_live.training.synthesis.clips import Truth

T = TypeVar("T")
D = TypeVar("D")

REACHED: tuple[State, ...] = ("provisional", "final", "settled")


@dataclass(slots=True)
class Decision:
    """All that the spotter said about one candidate it announced."""

    id: int
    span: Span
    score: float
    """Of the newest decision that was no withdrawal."""
    announced_ns: int | None = None
    """When the apex was announced; None where only the finished event was."""
    final_ns: int | None = None
    settled_ns: int | None = None
    """When it was confirmed; of what is still open at the end, None."""
    withdrawn: str = ""

    def reached(self, state: State) -> bool:
        """Whether it was ever written down as that; settled is what is final and was not taken back."""
        if state == "provisional":
            return self.announced_ns is not None
        return self.final_ns is not None and (state == "final" or not self.withdrawn)

    @property
    def stands(self) -> bool:
        """Whether it is an event in the end."""
        return self.reached("settled")


@dataclass(frozen=True, slots=True)
class Answers:
    """Decisions that reached a state, and which of them answer which truth."""

    decisions: list[Decision]
    pairs: list[tuple[int, int]]
    """(truth, decision) with IoU of at least 0.5, each used once; of provisional ones, as ``touching``."""
    touching: list[tuple[int, int]]
    """(truth, decision) with the apex inside the event, each used once."""

    @property
    def false(self) -> list[Decision]:
        """Decisions that answer no truth at all."""
        used = {k for _, k in self.touching} | {k for _, k in self.pairs}
        return [d for k, d in enumerate(self.decisions) if k not in used]


@dataclass
class Judgement:
    """A recording and what was decided on it."""

    recording: Recording
    decisions: list[Decision]
    spotter_ms: float = 0.0
    """Mean time per frame."""

    @cached_property
    def answers(self) -> dict[State, Answers]:
        """State by state."""
        truths, made = self.recording.truths, dict[State, Answers]()
        for state in REACHED:
            reached = [d for d in self.decisions if d.reached(state)]
            touching = pair(truths, reached, _inside_score)
            pairs = touching if state == "provisional" else pair(truths, reached, _iou_score)
            made[state] = Answers(reached, pairs, touching)
        return made

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of settled events."""
        return self.answers["settled"].pairs


def overlap(a: Span, b: Span) -> float:
    """Intersection over union, 0..1."""
    starts, ends = (a.onset.t_ns, b.onset.t_ns), (a.end.t_ns, b.end.t_ns)
    common = min(ends) - max(starts)
    return common / (max(ends) - min(starts)) if common > 0 else 0.0


def decide(
    recording: Recording,
    config: SpotterConfig | None = None,
    listen: Callable[[Judged], None] | None = None,
    scorer: Scorer | None = None,
) -> Judgement:
    """Run the spotter over a recording, to its end. ValueError: recordings are tracked with another flow."""
    spotter = Spotter(config, listen, scorer)
    if spotter.flow != FlowSpec():
        raise ValueError(
            "the coefficients ask for another flow than recordings are tracked with: fit them anew"
        )
    started = time.thread_time()
    spots = [
        spot
        for motion, t_ns in zip(recording.motions, recording.times_ns, strict=True)
        for spot in spotter.update(motion, int(t_ns))
    ]
    took = (time.thread_time() - started) * 1e3 / max(1, len(recording.times_ns))
    return Judgement(recording, decisions((*spots, *spotter.finish())), took)


def decisions(spots: Iterable[Spot]) -> list[Decision]:
    """What was said, in order of time, gathered by candidate."""
    found: dict[int, Decision] = {}
    for spot in spots:
        d = found.setdefault(spot.id, Decision(spot.id, spot.span, spot.score))
        if spot.phase == "withdrawn":
            d.withdrawn = spot.reason or "withdrawn"
            continue
        d.span, d.score = spot.span, spot.score
        if spot.phase == "apex":
            d.announced_ns = spot.decided.t_ns
        elif spot.phase == "settled":
            d.settled_ns = spot.decided.t_ns
        else:
            d.final_ns = spot.decided.t_ns
    return sorted(found.values(), key=lambda d: d.id)


def _iou_score(t: Truth, d: Decision) -> float:
    iou = 0.0 if d.span.offset is None else overlap(t.span, d.span)
    return iou if iou >= 0.5 else 0.0


def _inside_score(t: Truth, d: Decision) -> float:
    at_ns = d.span.apex.t_ns
    return 1.0 / (1 + abs(at_ns - t.span.apex.t_ns)) if t.span.holds(at_ns) else 0.0


def pair(
    truths: Sequence[T], decisions: Sequence[D], score: Callable[[T, D], float]
) -> list[tuple[int, int]]:
    """(truth, decision) one-to-one, greedily, best score first; a score of 0 pairs nothing."""
    table = [(score(t, d), i, k) for i, t in enumerate(truths) for k, d in enumerate(decisions)]
    pairs: list[tuple[int, int]] = []
    for value, i, k in sorted(table, reverse=True):
        if value > 0 and all(i != a and k != b for a, b in pairs):
            pairs.append((i, k))
    return sorted(pairs)

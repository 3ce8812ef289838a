"""The causal spotter: region displacements in, onset/apex/offset decisions out; no clock, thread or I/O.

Four parts of the face are watched by one small state machine each (candidate.py), on baselines and noise
learned from the face itself (signals.py). A candidate is scored when it turns back (provisional) and again
when it has returned (final); what was announced and fails is withdrawn. Every constant is in seconds or px,
none in frames, and an answer depends on past frames only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mer_live.realtime.candidate import Shape, Track
from mer_live.realtime.parallax import Parallax
from mer_live.realtime.regions import REGIONS
from mer_live.realtime.score import (
    GROUPS,
    Context,
    Return,
    Scorer,
    apex_features,
    gate,
    offset_features,
    pattern_share,
)
from mer_live.realtime.signals import Array, History, Smoother, Statistics
from mer_live.realtime.spotter_config import Judged, SpotterConfig
from mer_live.realtime.types import Motion, Spot

__all__ = ["Judged", "Spotter", "SpotterConfig"]

_GAP_NS = 300_000_000
_HEAD_PX = np.array([1.0, 1.0, 60.0, 60.0])
"""Motion.head to px at the edge of the face: roll and log scale times its radius."""
_GROUP_MEAN = np.array(
    [[(k in rows) / (2 * len(rows)) for k in range(len(REGIONS))] for rows in GROUPS.values()]
)
"""(G, R) squared noise units summed over x and y -> mean square of each group."""


@dataclass(slots=True)
class _Running:
    """A candidate after its apex."""

    features: Array
    moved: Array
    score: float
    spot: Spot | None = None


class Spotter:
    """Feed every frame in order; each call returns the decisions that this frame made possible.

    Args:
        config: sensitivity and thresholds.
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
        self.level = 0.0
        """Largest displacement of any part of the face now, noise units; for display."""
        self._scorer = scorer or Scorer.load()
        self._listen = listen
        self._history = History(len(REGIONS))
        self._smoother = Smoother()
        self._parallax = Parallax(len(REGIONS))
        self._stats = Statistics(len(REGIONS))
        self._tracks = {name: Track(self.config.track, rows) for name, rows in GROUPS.items()}
        self._running: dict[str, _Running] = {}
        self._contexts: dict[str, tuple[Array, Array]] = {}  # group -> unrest at the start, largest texture
        self._head: deque[tuple[int, float, float, float]] = deque(maxlen=512)  # ns, speed squared, x, y
        self._last: Motion | None = None
        self._anchored_ns = 0
        self._count = 0
        self._busy_until_ns = -(10**18)

    @property
    def phase(self) -> Literal["idle", "onset", "apex", "cooldown"]:
        """What the face is doing: a candidate rises, an announced one falls, or one has just ended."""
        if any(run.spot is not None for run in self._running.values()):
            return "apex"
        if any(track.state == "rise" for track in self._tracks.values()):
            return "onset"
        if self._last is not None and self._last.t_ns < self._busy_until_ns + 2e8:
            return "cooldown"
        return "idle"

    def update(self, motion: Motion | None, t_ns: int) -> list[Spot]:
        """Take one frame's motion, None while there is no face.

        Raises:
            ValueError: frames out of order.
        """
        last = self._last
        if motion is None:
            spots = self._withdraw_all("face lost", t_ns, last)
            self._clear()
            return spots
        if last is not None and motion.t_ns <= last.t_ns:
            raise ValueError(f"frames must come in order of time: {motion.t_ns} after {last.t_ns} ns")
        spots = []
        if last is not None and motion.t_ns - last.t_ns > _GAP_NS:
            spots = self._withdraw_all("frames missing", motion.t_ns, motion)
            self._clear()
            last = None
        dt_s = 0.0 if last is None else (motion.t_ns - last.t_ns) * 1e-9
        self._follow_head(motion, last, dt_s)
        step = np.zeros(4)
        if last is not None and motion.anchor == last.anchor:
            step = (motion.head - last.head).astype(np.float64) * _HEAD_PX
        regions = self._parallax.add(motion.t_ns, motion.regions.astype(np.float64), step, dt_s)
        time_ns, values = self._smoother.add(motion.t_ns, regions)
        self._history.add(time_ns, values, motion.index, motion.t_ns)
        self._stats.add(time_ns, values, dt_s, self._history)
        self._last = motion
        z = (values - self._stats.base) / self._stats.sigma
        levels = np.sqrt(_GROUP_MEAN @ np.einsum("rc,rc->r", z, z))
        self.level = float(levels.max())
        if self._stats.age_s >= self.config.warm_up_s:
            for (name, track), level in zip(self._tracks.items(), levels, strict=True):
                if track.state != "idle" or level >= track.config.trigger:
                    spots += self._step(name, time_ns, values, motion, dt_s)
        return spots

    def _clear(self) -> None:
        self._history.clear()
        self._smoother.clear()
        self._parallax.clear()
        self._stats.clear()
        for track in self._tracks.values():
            track.reset()
        self._running.clear()
        self._contexts.clear()
        self._head.clear()
        self._last = None
        self.level = 0.0

    def _follow_head(self, motion: Motion, last: Motion | None, dt_s: float) -> None:
        if last is None or motion.anchor != last.anchor:
            self._anchored_ns = motion.t_ns
            return
        step = (motion.head[:2] - last.head[:2]).astype(np.float64)
        x, y = self._head[-1][2:] if self._head else (0.0, 0.0)
        self._head.append((motion.t_ns, float(step @ step) / dt_s**2, x + float(step[0]), y + float(step[1])))

    def _head_since(self, since_ns: int) -> tuple[float, float]:
        """Root mean square speed, px per second, and largest distance from the start, px."""
        recent = np.array([entry for entry in self._head if entry[0] >= since_ns])
        if not len(recent):
            return 0.0, 0.0
        away = recent[:, 2:] - recent[0, 2:]
        return float(np.sqrt(recent[:, 1].mean())), float(np.hypot(away[:, 0], away[:, 1]).max())

    def _pattern(self, shape: Shape) -> float:
        rows = self._history.since(shape.onset_ns)
        start = self._history.mean(shape.onset_ns - 4e7, shape.onset_ns + 1)
        return pattern_share(self._history.values(rows) - start)

    def _step(self, name: str, time_ns: int, values: Array, motion: Motion, dt_s: float) -> list[Spot]:
        track, rows, stats = self._tracks[name], GROUPS[name], self._stats
        happened = track.step(time_ns, values[rows], stats.base[rows], stats.sigma[rows], self._history)
        if track.state != "idle" and name in self._contexts:
            np.maximum(self._contexts[name][1], motion.texture, out=self._contexts[name][1])
        if happened == "start":
            self._contexts[name] = (stats.unrest.copy(), motion.texture.astype(np.float64))
            stats.hold(rows)
        elif happened == "apex":
            return self._at_apex(name, track, motion, dt_s)
        elif happened in ("end", "abort"):
            returned = happened == "end" and track.shape is not None and track.shape.rest < 0.3
            stats.release(rows, time_ns, track.base if returned else values[rows])
            run = self._running.pop(name, None)
            self._contexts.pop(name, None)
            if happened == "end" and run is not None:
                return self._at_offset(name, track, run, motion)
            if run is not None and run.spot is not None:
                return [self._withdraw(run.spot, "too long", motion)]
        return []

    def _at_apex(self, name: str, track: Track, motion: Motion, dt_s: float) -> list[Spot]:
        shape = track.shape
        assert shape is not None
        unrest, texture = self._contexts[name]
        moved = self._history.mean(shape.apex_ns - 1.2e7, shape.apex_ns + 1.2e7) - self._history.mean(
            shape.onset_ns - 4e7, shape.onset_ns + 1
        )
        speed, head_moved = self._head_since(shape.onset_ns - 100_000_000)
        before, misfit = track.fit(self._history)
        context = Context(
            group=name,
            moved=moved,
            unrest=unrest,
            texture=texture,
            head_speed=speed,
            head_moved=head_moved,
            before=before,
            misfit=misfit,
            one_pattern=self._pattern(shape),
            step_s=dt_s,
            age_s=(motion.t_ns - self._anchored_ns) * 1e-9,
        )
        features = apex_features(shape, context)
        score = self._scorer.apex(features)
        run = self._running[name] = _Running(features, moved, score)
        self._tell(name, "apex", shape, features, score, motion)
        c = self.config
        if score < c.threshold or gate(features, c.largest_px, c.longest_s) or self._taken(shape):
            return []
        self._count += 1
        run.spot = self._spot(self._count, "apex", shape, score, motion)
        return [run.spot]

    def _at_offset(self, name: str, track: Track, run: _Running, motion: Motion) -> list[Spot]:
        shape = track.shape
        assert shape is not None
        assert shape.offset_ns is not None
        shape.offset_ns = max(shape.offset_ns, shape.apex_ns)
        shape.offset_ns = min(shape.offset_ns, motion.t_ns)
        before = self._history.mean(shape.onset_ns - 4e7, shape.onset_ns + 1)
        after = self._history.values(self._history.since(motion.t_ns))[-1] - before
        left_over = float(np.sqrt((after**2).sum() / max(float((run.moved**2).sum()), 1e-6)))
        speed, head_moved = self._head_since(shape.onset_ns)
        _, misfit = track.fit(self._history)
        back = Return(left_over, speed, head_moved, misfit, self._pattern(shape))
        features = offset_features(shape, run.features, back)
        score = self._scorer.offset(features)
        self._tell(name, "offset", shape, features, score, motion)
        reason = gate(features, self.config.largest_px, self.config.longest_s)
        if not reason and score < self.config.threshold:
            reason = self._scorer.reason(features)
        if reason:
            return [] if run.spot is None else [self._withdraw(run.spot, reason, motion)]
        if run.spot is None:
            if self._taken(shape):
                return []
            self._count += 1
        number = self._count if run.spot is None else run.spot.id
        self._busy_until_ns = shape.offset_ns
        return [self._spot(number, "offset", shape, score, motion)]

    def _taken(self, shape: Shape) -> bool:
        """Whether another part of the face has already been announced for this movement."""
        if shape.onset_ns < self._busy_until_ns + self.config.apart_s * 1e9:
            return True
        return any(run.spot is not None for run in self._running.values())

    def _spot(self, number: int, phase: Literal["apex", "offset"], s: Shape, score: float, m: Motion) -> Spot:
        onset, onset_ns = self._history.frame_at(s.onset_ns)
        apex, apex_ns = self._history.frame_at(s.apex_ns)
        offset, offset_ns = None, None
        if phase == "offset" and s.offset_ns is not None:
            offset, offset_ns = self._history.frame_at(s.offset_ns)
        return Spot(
            id=number,
            phase=phase,
            onset=onset,
            apex=apex,
            offset=offset,
            onset_ns=onset_ns,
            apex_ns=apex_ns,
            offset_ns=offset_ns,
            score=score,
            decided=m.index,
            decided_ns=m.t_ns,
        )

    @staticmethod
    def _withdraw(spot: Spot, reason: str, motion: Motion) -> Spot:
        decided = {"decided": motion.index, "decided_ns": motion.t_ns}
        return replace(spot, phase="withdrawn", reason=reason, **decided)

    def _withdraw_all(self, reason: str, t_ns: int, motion: Motion | None) -> list[Spot]:
        spots = [run.spot for run in self._running.values() if run.spot is not None]
        return [] if motion is None else [self._withdraw(spot, reason, motion) for spot in spots]

    def _tell(
        self,
        name: str,
        phase: Literal["apex", "offset"],
        shape: Shape,
        features: Array,
        score: float,
        m: Motion,
    ) -> None:
        if self._listen is not None:
            copy = Shape(shape.onset_ns, shape.apex_ns, shape.offset_ns, shape.amplitude, shape.rest)
            self._listen(Judged(name, phase, copy, features, score, m.t_ns))

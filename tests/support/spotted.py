"""Signals of a face that moves as told, and decisions about them."""

from __future__ import annotations

import numpy as np

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.types import Moment, Motion, Span
from mer_live.training.spotter.match import Decision
from mer_live.training.spotter.recordings import Recording
from mer_live.training.synthesis.clips import Truth

S = 1_000_000_000


def span(onset: float, apex: float, offset: float | None) -> Span:
    """Seconds, at 100 frames each."""
    made = (None if s is None else Moment(round(100 * s), round(s * S)) for s in (onset, apex, offset))
    return Span(*made)  # type: ignore[arg-type]


TRUTH = Truth("surprise", span(2.0, 2.15, 2.4), 2.0)


def recording(fps: float = 100, seconds: float = 5.0, truths: tuple[Truth, ...] = (TRUTH,)) -> Recording:
    """Raised brows in noise, at the times of the truths."""
    rng = np.random.default_rng(0)
    t = np.arange(0, seconds, 1 / fps)
    values = rng.normal(0, 0.05, (len(t), len(REGIONS), 2))
    for truth in truths:
        a, b, c = (m.t_ns / S for m in (truth.span.onset, truth.span.apex, truth.span.end))
        pulse = 0.25 * (1 - np.cos(np.pi * np.clip((t - a) / (b - a), 0, 1)))
        pulse = pulse * (1 + np.cos(np.pi * np.clip((t - b) / (c - b), 0, 1)))
        values[:, region("brow"), 1] -= truth.intensity_px * pulse[:, None]
    motions = tuple(
        Motion(
            index=i,
            t_ns=round(t[i] * S),
            anchor=1,
            regions=values[i].astype(np.float32),
            speed=np.zeros((len(REGIONS), 2), np.float32),
            texture=np.full(len(REGIONS), 2.0, np.float32),
            head=np.zeros(4, np.float32),
            adm=np.zeros(128, np.float32),
        )
        for i in range(len(t))
    )
    times = np.array([m.t_ns for m in motions], np.int64)
    blink = (("blink", round(3.0 * S), round(3.3 * S)),)
    return Recording("clip", "animated", fps, times, motions, truths, blink, np.ones(len(t)), 0.6)


def decision(number: int, onset: float, apex: float, offset: float) -> Decision:
    when = span(onset, apex, offset)
    announced_ns, final_ns = when.apex.t_ns + 40_000_000, when.end.t_ns + 10_000_000
    return Decision(number, when, 0.9, announced_ns, final_ns)

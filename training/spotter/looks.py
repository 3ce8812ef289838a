"""A stretch of signals, looked at once: what the spotter would see of it, to be judged by many coefficients.

Looking is nine tenths of a spotter's work and depends on the faces' covariance and patterns alone, so the networks of
every fold are fitted on, and calibrated by, looks that were taken once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.spotter import speaking
from mer_live.realtime.spotter.config import SpotterConfig
from mer_live.realtime.spotter.matched import FEATURES, Faces, Matched
from mer_live.realtime.spotter.pulses import COURSES, FINISHED, TURNED
from mer_live.realtime.spotter.score import Scorer
from mer_live.realtime.spotter.signals import Array, Smoother
from mer_live.realtime.spotter.spotter import Judged, Spotter
from mer_live.realtime.spotter.window import Window
from mer_live.realtime.types import Motion, Spot
from mer_live.training.spotter.match import overlap
from mer_live.training.spotter.net import blank
from mer_live.training.spotter.signals import R, Signals
from mer_live.training.synthesis.clips import Truth

Phase = Literal["apex", "offset"]
PHASES: dict[Phase, slice] = {"apex": TURNED, "offset": FINISHED}
_SPEAKING = FEATURES.index("speaking")
_WARM_S = 0.6
_HEARD_AGO_S = 0.1
"""What is seen of speech by now was said that long ago."""


class Looks:
    """One stretch and all looks at it.

    Args:
        signals: what happens.
        faces: covariance and patterns.
    """

    def __init__(self, signals: Signals, faces: Faces) -> None:
        self.signals = signals
        self.frames: list[tuple[int, int, float, int]] = []
        """One a frame: its time, the time its smoothed row stands for, age of the face, number of the look or -1."""
        self.rows: list[Array] = []
        """Smoothed."""
        self.at: list[int] = []
        """Frame of each look."""
        window, smoother = Window(blank(faces)), Smoother()
        speech: list[Array] = []
        found: list[Matched] = []
        for index, (t, rows) in enumerate(zip(signals.times, signals.rows, strict=True)):
            t_ns = round(t * 1e9)
            looked = window.take(t_ns, rows, index)
            self.frames.append((t_ns, window.now_ns, window.age_s, len(found) if looked else -1))
            self.rows.append(smoother.add(t_ns, rows)[1])
            if looked:
                self.at.append(index)
                speech.append(speaking.features(window.filter.seen[-26:]))
                found.append(window.match())
        self.speech: Array = np.array(speech)
        """(L, len(SPEECH))."""
        self.found: NDArray[np.float32] = np.array([m.features for m in found], np.float32)
        """(L, J, len(FEATURES)), of a face that does not speak."""
        self.largest_px: NDArray[np.float32] = np.array([m.largest_px for m in found], np.float32)
        self.weights: NDArray[np.float32] = np.array([m.weights for m in found], np.float32)

    def features(self, scorer: Scorer) -> Array:
        """(L, J, len(FEATURES)) with what a scorer thinks of the speech."""
        made = self.found.astype(np.float64)
        made[:, :, _SPEAKING] = scorer.speech(self.speech)[:, None]
        return made

    def speech_examples(self) -> tuple[Array, NDArray[np.bool_]]:
        """(N, len(SPEECH)) features and (N,) whether the person was heard, where that is known and plain."""
        known = self.signals.speaking
        if known is None or not self.at:
            return self.speech[:0].reshape(0, len(speaking.SPEECH)), np.zeros(0, np.bool_)
        times = self.signals.times
        before = np.searchsorted(times, times[self.at] - _HEARD_AGO_S)
        level = known[np.minimum(before, len(known) - 1)]
        plain = (level < 0.1) | (level > 0.9)
        return self.speech[plain], level[plain] > 0.5

    def hypotheses(
        self, phase: Phase, features: Array, rng: np.random.Generator, keep: float
    ) -> tuple[Array, NDArray[np.bool_]]:
        """(N, len(FEATURES)) hypotheses about every moment and (N,) which are right; of the wrong ones, a part."""
        rows = PHASES[phase]
        xs: list[Array] = [np.zeros((0, len(FEATURES)))]
        ys: list[NDArray[np.bool_]] = [np.zeros(0, np.bool_)]
        for number, index in enumerate(self.at):
            _, now_ns, age_s, _ = self.frames[index]
            if age_s < _WARM_S:
                continue
            label = labels(phase, now_ns * 1e-9, self.signals.truths)
            chance = rng.random(len(label))
            use = ((label == 1) & (chance < 0.5)) | ((label == 0) & (chance < keep))
            xs.append(features[number, rows][use])
            ys.append(label[use] == 1)
        return np.concatenate(xs), np.concatenate(ys)

    def judged(self, scorer: Scorer, config: SpotterConfig | None = None) -> tuple[list[Judged], list[Spot]]:
        """All candidates with their scores, and what is announced."""
        told: list[Judged] = []
        spotter = Spotter(config, told.append, scorer, _Again(self, scorer))
        spots: list[Spot] = []
        for index, (t_ns, *_) in enumerate(self.frames):
            spots += spotter.update(_motion(index, t_ns), t_ns)
        return told, spots + spotter.finish()


class _Again(Window):
    """A window that shows looks that were taken beforehand."""

    def __init__(self, looks: Looks, scorer: Scorer) -> None:
        super().__init__(scorer)
        self._looks = looks
        self._features = looks.features(scorer)
        self._speech = self._features[:, 0, _SPEAKING]
        self._number = -1

    def add(self, motion: Motion) -> bool:
        t_ns, self.now_ns, self.age_s, number = self._looks.frames[motion.index]
        self.history.add(self.now_ns, self._looks.rows[motion.index], motion.index, t_ns)
        if number < 0:
            return False
        self._number, self.speech = number, float(self._speech[number])
        self.speaking.add(self.now_ns, self.speech)
        return True

    def match(self) -> Matched:
        k = self._number
        looks = self._looks
        return Matched(
            self._features[k], looks.largest_px[k].astype(np.float64), looks.weights[k].astype(np.float64)
        )


_NOTHING = np.zeros((R, 2), np.float32)


def _motion(index: int, t_ns: int) -> Motion:
    """A frame of which only number and time count."""
    return Motion(index, t_ns, 1, _NOTHING, _NOTHING, _NOTHING[:, 0], np.zeros(4, np.float32), None)


def labels(phase: Phase, now_s: float, truths: Sequence[Truth]) -> NDArray[np.int64]:
    """(J,) 1 for hypotheses that a truth answers, 0 for those that none does, -1 for those in between."""
    rows = PHASES[phase]
    start, top = -COURSES.onset[rows], -COURSES.apex[rows]
    end = -COURSES.offset[rows] if phase == "offset" else top
    label = np.zeros(len(start), np.int64)
    for t in truths:
        onset, apex, offset = (m.t_ns * 1e-9 - now_s for m in (t.span.onset, t.span.apex, t.span.end))
        if onset > 0.0 or offset < -1.5:
            continue
        last = offset if phase == "offset" else apex
        iou = np.clip(np.minimum(end, last) - np.maximum(start, onset), 0, None)
        iou = iou / (np.maximum(end, last) - np.minimum(start, onset))
        right = iou >= 0.6 if phase == "offset" else (iou >= 0.5) & (np.abs(top - apex) <= 0.05)
        label = np.where(right, 1, np.where((iou > 0.35) & (label == 0), -1, label))
    return label


def rightness(j: Judged, truths: Sequence[Truth]) -> float:
    """How well the best truth answers a candidate: IoU; of one that has just turned 1 if its apex lies inside."""
    if j.phase == "apex":
        return float(any(t.span.holds(j.span.apex.t_ns) for t in truths))
    return max((overlap(t.span, j.span) for t in truths), default=0.0)

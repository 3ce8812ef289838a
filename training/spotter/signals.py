"""Training material in signal space: what regions did in recordings, varied, with expressions added to it.

A few minutes of real talking are all there is, so they are mirrored, stretched, reversed, laid over each other and
resampled; a brow of one moment is joined to a mouth of another. Expressions are added as displacements: patterns
come from the rendering's own fields on training people's faces, courses from the rendering's own timeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.motion.regions import MEMBERSHIP, MIRROR, POINTS, REGIONS, region
from mer_live.realtime.spotter.matched import ROWS
from mer_live.realtime.spotter.watch import Reader
from mer_live.realtime.types import CLASSES
from mer_live.training.spotter.recordings import Recording, Truth, truth_at
from mer_live.training.synthesis.face_model import apply, load_photo
from mer_live.training.synthesis.inject import Injector
from mer_live.training.synthesis.timeline import draw_pulse

Array = NDArray[np.float64]
R = len(REGIONS)
_UPPER = region("brow", "lid", "under_eye", "glabella")
RATES, _RATE_SHARES = (25.0, 30.0, 50.0, 100.0, 200.0), (0.5, 0.2, 0.1, 0.1, 0.1)
_WINDOW = 9
"""Side of the mean by which tracked windows blunt a field, px."""


@dataclass(frozen=True, slots=True)
class Signals:
    """A face seen without a break."""

    times: Array
    """(T,) seconds."""
    rows: Array
    """(T, ROWS, 2) as `watch.Reader` makes them."""
    truths: tuple[Truth, ...] = ()


def signals(recording: Recording) -> list[Signals]:
    """The stretches of a recording in which the face was there."""
    reader, pieces, rows, times = Reader(), list[Signals](), list[Array](), list[float]()

    def close() -> None:
        if len(rows) > 2 * recording.fps:
            pieces.append(Signals(np.array(times), np.stack(rows), recording.truths))
        reader.clear()
        rows.clear()
        times.clear()

    for motion in recording.motions:
        if motion is None:
            close()
            continue
        rows.append(reader.read(motion))
        times.append(motion.t_ns * 1e-9)
    close()
    return pieces


def mirrored(rows: Array) -> Array:
    """(..., ROWS, 2) of the mirror image."""
    order = [*MIRROR, R, R + 1]
    sign = np.ones((ROWS, 2))
    sign[: R + 1, 0] = -1.0
    return np.asarray(rows[..., order, :] * sign)


def patterns(faces: Path, names: Sequence[str], rng: np.random.Generator, each: int = 12) -> Array:
    """(N, R, 2) displacement of every region in movements of 1 px on people's faces, each class in turn."""
    found = []
    for name in names:
        photo = load_photo(faces, name)
        for k in range(each):
            injector = Injector(photo.landmarks.astype(np.float32), rng, label=CLASSES[k % len(CLASSES)])
            field = cv2.blur(injector.field, (_WINDOW, _WINDOW))
            x, y = apply(injector.anchor, photo.landmarks)[POINTS].astype(np.float32).T
            moved = cv2.remap(field, x[None], y[None], cv2.INTER_LINEAR)[0]  # (P, 2)
            found.append(MEMBERSHIP @ moved / MEMBERSHIP.sum(1, keepdims=True))
    return np.stack(found)


def varied(pieces: Sequence[Signals], rng: np.random.Generator) -> Signals:
    """Talking that never happened, from one or two stretches that did, at a random frame rate."""
    fps = float(rng.choice(RATES, p=_RATE_SHARES))
    rows, choice = _one(pieces, fps, rng), rng.random()
    if choice < 0.6:
        other = _one(pieces, fps, rng)
        first = int(rng.integers(max(1, len(other) - len(rows) + 1)))
        other = other[first : first + len(rows)]
        rows = rows[: len(other)].copy()
        if choice < 0.3:
            rows[:, : R + 1] += other[:, : R + 1] * rng.uniform(0.2, 0.8)
            rows[:, -1] = np.maximum(rows[:, -1], other[:, -1])
        else:
            rows[:, _UPPER] = other[:, _UPPER]
            rows[:, -1] = other[:, -1]
    rows[:, :R] *= np.exp(rng.normal(0, 0.15, (1, R, 1)))
    # Interpolation takes noise away and higher rates bring some.
    rows[:, :R] += rng.normal(0, 0.05, rows[:, :R].shape)
    return Signals(np.arange(len(rows)) / fps, rows)


def _one(pieces: Sequence[Signals], fps: float, rng: np.random.Generator) -> Array:
    from scipy.interpolate import CubicSpline

    length = np.array([p.times[-1] - p.times[0] for p in pieces])
    piece = pieces[int(rng.choice(len(pieces), p=length / length.sum()))]
    speed = float(np.exp(rng.uniform(-0.35, 0.35)))
    times = np.arange(piece.times[0], piece.times[-1], speed / fps)
    rows = CubicSpline(piece.times, piece.rows)(times)
    rows[:, -1] = np.interp(times, piece.times, piece.rows[:, -1, 0])[:, None] * [1.0, 0.0]
    if rng.random() < 0.6:
        rows[:, : R + 1] *= float(np.exp(rng.uniform(-1.2, 0.3)))
    if rng.random() < 0.3:
        rows = rows[::-1]
    return mirrored(rows) if rng.random() < 0.5 else np.ascontiguousarray(rows)


def scheduled(
    last_s: float, rng: np.random.Generator, shapes: Array, every_s: float
) -> list[tuple[Truth, Array, Array]]:
    """Random events up to ``last_s``: truth, (R, 2) displacement at the apex px, (4,) times of the pulse."""
    planned = []
    t = 1.0 + float(rng.exponential(every_s))
    while t < last_s - 1.0:
        pulse = draw_pulse(rng, t)
        px = float(np.exp(rng.uniform(np.log(0.5), np.log(4.0))))
        shape = shapes[int(rng.integers(len(shapes)))] * px
        if rng.random() < 0.5:
            shape = shape[list(MIRROR)] * [-1.0, 1.0]
        course = np.array([pulse.onset_s, pulse.peak_s, pulse.release_s, pulse.offset_s])
        planned.append((truth_at(pulse, "", px), shape, course))
        t = pulse.offset_s + 0.6 + float(rng.exponential(every_s))
    return planned


def _level(times: Array, course: Array) -> Array:
    onset, peak, release, offset = course
    rise = np.clip((times - onset) / (peak - onset), 0, 1)
    fall = np.clip((offset - times) / (offset - release), 0, 1)
    return np.asarray(0.25 * (1 - np.cos(np.pi * rise)) * (1 - np.cos(np.pi * fall)))


def with_events(s: Signals, rng: np.random.Generator, shapes: Array, every_s: float) -> Signals:
    """Signals with expressions added."""
    plan = scheduled(float(s.times[-1]), rng, shapes, every_s)
    rows = s.rows.copy()
    for _, shape, course in plan:
        rows[:, :R] += _level(s.times, course)[:, None, None] * shape
    return Signals(s.times, rows, tuple(truth for truth, _, _ in plan))


def mixed(recording: Recording, rng: np.random.Generator, shapes: Array, every_s: float = 1.2) -> Recording:
    """A recording without events, with expressions added to its region signals."""
    times = recording.times_ns.astype(np.float64) * 1e-9
    plan = scheduled(float(times[-1]), rng, shapes, every_s)
    added = np.zeros((len(times), R, 2))
    for _, shape, course in plan:
        added += _level(times, course)[:, None, None] * shape
    motions = tuple(
        None if m is None else replace(m, regions=(m.regions + a).astype(np.float32))
        for m, a in zip(recording.motions, added, strict=True)
    )
    return replace(recording, motions=motions, truths=tuple(truth for truth, _, _ in plan))

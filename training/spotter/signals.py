"""Training material in signal space: what regions did in recordings, varied, with expressions added to it.

A few minutes of real talking are all there is, so they are mirrored, stretched, laid over each other and resampled;
a brow of one person is joined to a mouth of another. Expressions are added as displacements: patterns come from the
injector's own fields on training people's faces, courses from published durations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.motion.regions import MEMBERSHIP, MIRROR, POINTS, REGIONS, region
from mer_live.realtime.spotter.matched import ROWS
from mer_live.realtime.spotter.reader import Reader
from mer_live.realtime.types import CLASSES
from mer_live.training.spotter.injected import PARTS, UNITS
from mer_live.training.spotter.recordings import Recording
from mer_live.training.synthesis.clips import Truth
from mer_live.training.synthesis.faces.face_model import apply, load_photo
from mer_live.training.synthesis.inject import Injector
from mer_live.training.synthesis.timeline import Pulse, draw_pulse

Array = NDArray[np.float64]
R = len(REGIONS)
UPPER = region("brow", "lid", "under_eye", "glabella")
RATES, _RATE_SHARES = (25.0, 30.0, 50.0, 100.0, 200.0), (0.5, 0.2, 0.1, 0.1, 0.1)
_WINDOW = 9
"""Side of the mean by which tracked windows blunt a field, px."""
_LONGEST_EVENT_S = 0.56
_SLOW = 0.08
"""Part of the movements that fade slowly, as in CAS(ME)^3."""


@dataclass(frozen=True, slots=True)
class Signals:
    """A face seen without a break."""

    times: Array
    """(T,) seconds."""
    rows: Array
    """(T, ROWS, 2) as `reader.Reader` makes them."""
    truths: tuple[Truth, ...] = ()
    speaking: Array | None = None
    """(T,) 0..1 whether the person is heard to speak, or None where nobody knows."""
    people: frozenset[str] = field(default_factory=frozenset)
    """Who moves in it."""

    @property
    def seconds(self) -> float:
        """How long it is; its first time need not be 0."""
        return float(self.times[-1] - self.times[0])


def signals(recording: Recording, person: str = "", speaking: Array | None = None) -> list[Signals]:
    """The stretches of a recording in which the face was there; ``speaking`` (T,) goes with its frames."""
    reader, pieces, kept, rows = Reader(), list[Signals](), list[int](), list[Array]()
    people = frozenset({person} if person else ())

    def close() -> None:
        if len(rows) > 1.5 * recording.fps:
            heard = None if speaking is None else speaking[kept]
            times = (recording.times_ns[kept] * 1e-9).astype(np.float64)
            pieces.append(Signals(times, np.stack(rows), recording.truths, heard, people))
        reader.clear()
        rows.clear()
        kept.clear()

    for k, motion in enumerate(recording.motions):
        if motion is None:
            close()
            continue
        rows.append(reader.read(motion))
        kept.append(k)
    close()
    return pieces


def mirrored(rows: Array) -> Array:
    """(..., ROWS, 2) of the mirror image."""
    order = [*MIRROR, R, R + 1]
    sign = np.ones((ROWS, 2))
    sign[: R + 1, 0] = -1.0
    return np.asarray(rows[..., order, :] * sign)


def patterns(faces: Path, names: Sequence[str], rng: np.random.Generator, each: int = 24) -> Array:
    """(N, R, 2) displacement of every region in movements of 1 px on people's faces.

    Each class and each part of the face in turn: a class draws its own action units, a part has those of `UNITS`.
    """
    parts = [units for part in PARTS for units in UNITS[part]]
    found = []
    for name in names:
        photo = load_photo(faces, name)
        marks = photo.landmarks.astype(np.float32)
        for k in range(each // 2):
            units = parts[int(rng.integers(len(parts)))]
            found.append(moved(Injector(marks, rng, label=CLASSES[k % len(CLASSES)]), marks))
            found.append(moved(Injector(marks, rng, units=units), marks))
    return np.stack(found)


def moved(injector: Injector, landmarks: NDArray[np.float32]) -> Array:
    """(R, 2) displacement of every region at an amount of 1 px, for a face with (478, 2) landmarks."""
    blunt = cv2.blur(injector.field, (_WINDOW, _WINDOW))
    x, y = apply(injector.anchor, landmarks)[POINTS].astype(np.float32).T
    at_points = cv2.remap(blunt, x[None], y[None], cv2.INTER_LINEAR)[0]  # (P, 2)
    return np.asarray(MEMBERSHIP @ at_points / MEMBERSHIP.sum(1, keepdims=True), np.float64)


def varied(people: Mapping[str, Sequence[Signals]], rng: np.random.Generator) -> Signals:
    """Talking that never happened, from one or two stretches that did, at a random frame rate.

    People are drawn by the square root of how long they were filmed: equally would repeat three seconds of one as
    often as five minutes of another, by length would teach one person's mouth.
    """
    names = list(people)
    weight = np.sqrt([sum(s.seconds for s in people[name]) for name in names])
    fps = float(rng.choice(RATES, p=_RATE_SHARES))

    def draw(name: str) -> Signals:
        pieces = people[name]
        return _one(pieces[int(rng.integers(len(pieces)))], fps, rng)

    def somebody() -> str:
        return names[int(rng.choice(len(names), p=weight / weight.sum()))]

    who = somebody()
    first = draw(who)
    rows, choice = first.rows, rng.random()
    speaking, both = first.speaking, first.people
    if choice < 0.5:
        second = draw(somebody() if rng.random() < 0.4 else who)
        n = min(len(rows), len(second.rows))
        rows, other = rows[:n].copy(), second.rows[:n]
        speaking, both = None if speaking is None else speaking[:n], both | second.people
        if choice < 0.15:
            rows[:, : R + 1] += other[:, : R + 1] * rng.uniform(0.2, 0.8)
            rows[:, -1] = np.maximum(rows[:, -1], other[:, -1])
            heard = None if second.speaking is None else second.speaking[:n]
            speaking = None if speaking is None or heard is None else np.maximum(speaking, heard)
        else:
            rows[:, UPPER] = other[:, UPPER]
            rows[:, -1] = other[:, -1]
    rows[:, :R] *= np.exp(rng.normal(0, 0.15, (1, R, 1)))
    # Interpolation takes noise away; cameras and encoders bring more or less of it.
    rows[:, :R] += rng.normal(0, np.exp(rng.uniform(np.log(0.02), np.log(0.12))), rows[:, :R].shape)
    if rng.random() < 0.15:
        _refresh(rows, fps, rng)
    return Signals(np.arange(len(rows)) / fps, rows, (), speaking, both)


def _refresh(rows: Array, fps: float, rng: np.random.Generator) -> None:
    """Small steps of every region at the rhythm of an encoder's key frames, in place."""
    every = max(3, int(fps * rng.uniform(0.3, 1.0)))
    size = rng.uniform(0.03, 0.25)
    for k in range(int(rng.integers(every)), len(rows), every):
        rows[k:, :R] += rng.normal(0, size, (R, 2))


def _one(piece: Signals, fps: float, rng: np.random.Generator) -> Signals:
    from scipy.interpolate import CubicSpline

    speed = float(np.exp(rng.uniform(-0.3, 0.3)))
    times = np.arange(piece.times[0], piece.times[-1], speed / fps)
    rows = CubicSpline(piece.times, piece.rows)(times)
    rows[:, -1] = np.interp(times, piece.times, piece.rows[:, -1, 0])[:, None] * [1.0, 0.0]
    speaking = None if piece.speaking is None else np.interp(times, piece.times, piece.speaking)
    if rng.random() < 0.5:
        rows[:, : R + 1] *= float(np.exp(rng.uniform(-1.0, 0.3)))
    if rng.random() < 0.15:
        rows, speaking = rows[::-1], None if speaking is None else speaking[::-1]
    rows = mirrored(rows) if rng.random() < 0.5 else np.ascontiguousarray(rows)
    return Signals(times, rows, (), speaking, piece.people)


def with_events(
    s: Signals,
    rng: np.random.Generator,
    shapes: Array,
    every_s: float = 0.7,
    px: tuple[float, float] = (0.5, 4.0),
) -> Signals:
    """Signals with expressions added: (N, R, 2) shapes at 1 px, sizes log-uniform in ``px``."""
    rows, truths = s.rows.copy(), list[Truth]()
    fps = (len(s.times) - 1) / s.seconds
    t = float(s.times[0]) + 0.5 + float(rng.exponential(every_s))
    while True:
        pulse = draw_pulse(rng, t, longest_s=_LONGEST_EVENT_S, slow_fades=_SLOW)
        if pulse.offset_s > s.times[-1] - 0.1:
            break
        size = float(np.exp(rng.uniform(*np.log(px))))
        shape = shapes[int(rng.integers(len(shapes)))] * size
        if rng.random() < 0.5:
            shape = shape[list(MIRROR)] * [-1.0, 1.0]
        rows[:, :R] += _level(s.times, pulse)[:, None, None] * shape
        truths.append(Truth("", pulse.span(fps), size))
        t = pulse.offset_s + 0.5 + float(rng.exponential(every_s))
    return replace(s, rows=rows, truths=(*s.truths, *truths))


def _level(times: Array, pulse: Pulse) -> Array:
    """`Pulse.at` for many times at once."""
    rise = np.clip((times - pulse.onset_s) / (pulse.peak_s - pulse.onset_s), 0, 1)
    fall = np.clip((pulse.offset_s - times) / (pulse.offset_s - pulse.release_s), 0, 1)
    return np.asarray(0.25 * (1 - np.cos(np.pi * rise)) * (1 - np.cos(np.pi * fall)))


def unlike(s: Signals, rng: np.random.Generator) -> Signals:
    """An animated face, mirrored or not, somewhat stronger or weaker."""
    rows = mirrored(s.rows) if rng.random() < 0.5 else s.rows.copy()
    rows[:, :R] *= float(np.exp(rng.normal(0, 0.15)))
    return replace(s, rows=rows)

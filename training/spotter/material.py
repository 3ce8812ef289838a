"""What the spotter is fitted on: people who talk and animated faces, varied, looked at once, kept in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mer_live.realtime import face, motion
from mer_live.realtime.motion.regions import MIRROR
from mer_live.realtime.spotter import matched, parallax, pulses, reader, speaking, window
from mer_live.realtime.spotter import signals as smoothing
from mer_live.realtime.spotter.matched import Faces
from mer_live.realtime.spotter.signals import Array
from mer_live.training import synthesis
from mer_live.training.spotter import injected as injecting
from mer_live.training.spotter import recordings
from mer_live.training.spotter import signals as signal_space
from mer_live.training.spotter.injected import injected
from mer_live.training.spotter.kept import kept, version
from mer_live.training.spotter.looks import Looks
from mer_live.training.spotter.recordings import Footage, Recording, animated, read_clip, take_starts, tracked
from mer_live.training.spotter.signals import (
    R,
    Signals,
    mirrored,
    patterns,
    signals,
    unlike,
    varied,
    with_events,
)
from mer_live.training.spotter.voice import heard
from mer_live.training.synthesis.faces.face_model import list_subjects, load_photo, split_of

WEBCAM = "webcam"
"""The one person in the folder of clips."""
RATES = (25.0, 50.0, 100.0, 200.0)
STILLS = 32
VARIED = 640
"""Stretches of varied talking that each fit chooses from, of those people that it may see."""
_EVENTS = 0.6
"""Part of the varied stretches with expressions in them."""
TAKES, _TAKE_S, _LONGEST_S = 10, 4.0, 60.0
"""Takes of one person into whose pixels movements are put, each once while they speak and once while not."""
_ACTED_SEED = 50
"""Other movements than the benchmark's."""


@dataclass(frozen=True, slots=True)
class PeopleFold:
    """People who are left out together."""

    people: tuple[str, ...]
    side: int
    """Which half of the people they belong to; the other half gives the covariance of faces."""


def folds(people: Sequence[str]) -> list[PeopleFold]:
    """The people with most footage alone, the others in two groups; the sides take turns."""
    most = list(people[:3])
    rest = list(people[3:])
    groups = [(name,) for name in most] + [tuple(g) for g in (rest[0::2], rest[1::2]) if g]
    return [PeopleFold(group, k % 2) for k, group in enumerate(groups)]


def faces_of(talking: Sequence[Signals], shapes: Array, seed: int) -> Faces:
    """How regions move together while people talk, every moment counting alike; patterns by k-means."""
    from sklearn.cluster import KMeans

    steps = []
    for s in talking:
        every = max(1, round(0.04 / float(np.median(np.diff(s.times)))))
        rows = s.rows[::every, :R]
        rows = np.concatenate([rows, mirrored(s.rows[::every])[:, :R]], 1)  # (T, 2R, 2): both at once
        step = np.clip(rows[4:-4] - 0.5 * (rows[8:] + rows[:-8]), -4.0, 4.0)
        steps += [step[:, :R].reshape(len(step), -1), step[:, R:].reshape(len(step), -1)]
    step = np.concatenate(steps)
    step = step / np.maximum(np.sqrt(np.square(step).mean(1, keepdims=True)), 0.15)
    covariance = step.T @ step / len(step)
    both = np.concatenate([shapes, shapes[:, list(MIRROR)] * [-1.0, 1.0]]).reshape(2 * len(shapes), -1)
    centres = KMeans(12, n_init=3, random_state=seed).fit(_unit(both)).cluster_centers_
    other = centres.reshape(-1, R, 2)[:, list(MIRROR)] * [-1.0, 1.0]
    chosen = _unit(np.concatenate([centres, other.reshape(len(other), -1)]))
    return Faces(np.round(covariance / np.trace(covariance) * len(covariance), 4), np.round(chosen, 4))


def _unit(x: Array) -> Array:
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the material lies."""

    faces: Path
    """NAME_neutral.jpg."""
    talking: Path
    """A folder a person."""
    clips: Path
    """Of one person at a webcam."""
    cache: Path
    """What has been made already."""

    @property
    def talkers(self) -> dict[str, list[Path]]:
        """Person -> their clips, most footage first."""
        found = {p.name: _videos(p) for p in sorted(self.talking.iterdir()) if p.is_dir()}
        found[WEBCAM] = _videos(self.clips)
        for name, paths in found.items():
            if not paths:
                raise ValueError(f"The folder of {name} holds no .mp4, .mpg, .avi or .mkv clip.")
        sizes = {name: len(paths) * (14 if name == WEBCAM else 1) for name, paths in found.items()}
        return {name: found[name] for name in sorted(found, key=lambda name: -sizes[name])}


def _videos(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in (".mp4", ".mpg", ".avi", ".mkv"))


_LOOKING = (matched, parallax, pulses, reader, speaking, window, smoothing, recordings, signal_space)


def talker(folders: Folders, person: str) -> list[Signals]:
    """All that one person does in their clips."""

    def make() -> list[Signals]:
        made: list[Signals] = []
        for path in folders.talkers[person]:
            frames, fps = read_clip(path)
            recording = tracked(path.stem, "natural", frames, fps)
            made += signals(recording, person, heard(path, (recording.times_ns * 1e-9).astype(np.float64)))
        return made

    return kept(folders.cache / version(face, motion) / f"talker-{person}.pkl", make)


def acted(folders: Folders, person: str) -> list[Signals]:
    """What is tracked of one person with movements in the pixels of their clips, while they speak and while not."""

    def make() -> list[Signals]:
        clips = folders.talkers[person]
        chosen = [clips[round(k)] for k in np.linspace(0, len(clips) - 1, min(TAKES, len(clips)))]
        several = [(clip, first_s) for clip in chosen for first_s in take_starts(clip, _TAKE_S, _LONGEST_S)]
        made: list[Signals] = []
        for k in range(TAKES):
            clip, first_s = several[k * len(several) // TAKES]
            take = Footage(clip, first_s, first_s + _TAKE_S, person)
            for talks in (True, False):
                recording = injected(take, _ACTED_SEED + k, speaking=talks)
                if recording is not None:
                    times: Array = first_s + recording.times_ns.astype(np.float64) * 1e-9
                    made += signals(recording, person, heard(clip, times))
        return made

    version_ = version(face, motion, synthesis, injecting)
    return kept(folders.cache / version_ / f"acted-{person}.pkl", make)


def still(folders: Folders, k: int, seed: int) -> list[Signals]:
    """Animated face number ``k`` of those whom every training may see."""
    names = [name for name in list_subjects(folders.faces) if split_of(name) == "train"]
    rate = RATES[k % len(RATES)]

    def make() -> Recording:
        photo = load_photo(folders.faces, names[k % len(names)])
        return animated(photo, rate, seed + 1000 + k, 16 if rate < 60 else 10)

    recording = kept(folders.cache / version(face, motion, synthesis) / f"still-{k}-{seed}.pkl", make)
    speaking = np.zeros(len(recording.times_ns))
    for kind, first, last in recording.distractors:
        if kind == "speech":
            speaking[(recording.times_ns > first + 1e8) & (recording.times_ns < last - 1e8)] = 1.0
    return signals(recording, "", speaking)


def material(folders: Folders, side: int, part: int, parts: int, seed: int) -> tuple[Faces, list[Looks]]:
    """One part of the looks that the fits of a side's folds choose from."""
    people = list(folders.talkers)
    known = {name: talker(folders, name) for name in people}
    names = [name for name in list_subjects(folders.faces) if split_of(name) == "train"]
    shapes = _shapes(folders, names, seed)
    others = [name for fold in folds(people) if fold.side != side for name in fold.people]
    rng = np.random.default_rng([seed, side])
    several = [known[name][k] for name in others for k in rng.permutation(len(known[name]))[:16]]
    faces = faces_of(several, shapes, seed)
    rng = np.random.default_rng([seed, side, part])
    stretches = []
    for _ in range(VARIED // parts):
        s = varied(known, rng)
        if s.seconds > 1.6:
            stretches.append(with_events(s, rng, shapes) if rng.random() < _EVENTS else s)
    for k in range(part, STILLS, parts):
        stretches += [unlike(s, rng) for s in still(folders, k, seed)]
    for name in people:
        stretches += [unlike(s, rng) for s in acted(folders, name)]
    return faces, [Looks(s, faces) for s in stretches]


def unheard(folders: Folders, person: str, faces: Faces) -> tuple[list[Looks], list[Looks]]:
    """A person untouched, and with movements in the pixels of their clips."""
    return [Looks(s, faces) for s in talker(folders, person)], [
        Looks(s, faces) for s in acted(folders, person)
    ]


def _shapes(folders: Folders, names: Sequence[str], seed: int) -> Array:
    path = folders.cache / version(motion, synthesis) / f"patterns-{seed}.pkl"
    return kept(path, lambda: patterns(folders.faces, names, np.random.default_rng(seed)))


def _part(folders: Folders, parts: int, seed: int, which: tuple[int, int]) -> tuple[Faces, list[Looks]]:
    side, part = which
    folder = folders.cache / version(face, motion, synthesis, *_LOOKING)
    path = folder / f"looks-{side}-{part}-{parts}-{seed}.pkl"
    return kept(path, partial(material, folders, side, part, parts, seed))


def make_talker(folders: Folders, person: str) -> None:
    """`talker` and `acted`, for their files alone: a process that makes them need not send them."""
    talker(folders, person)
    acted(folders, person)


def make_part(folders: Folders, parts: int, seed: int, which: tuple[int, int]) -> None:
    """(side, part) of the looks, for the file alone."""
    _part(folders, parts, seed, which)


def looks_of(folders: Folders, side: int, parts: int, seed: int) -> tuple[Faces, list[Looks]]:
    """All looks of a side, and the faces they rest on."""
    made = [_part(folders, parts, seed, (side, part)) for part in range(parts)]
    return made[0][0], [x for _, looks in made for x in looks]

"""What the spotting benchmark listens to, as tasks whose recordings are kept between runs."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from mer_live.benchmarks.spotting import cameras
from mer_live.benchmarks.spotting.cameras import ENCODERS, Encoder, flickering, motionless, through
from mer_live.engines import representation
from mer_live.realtime import face, motion
from mer_live.training import synthesis
from mer_live.training.spotter import injected as injecting
from mer_live.training.spotter import recordings
from mer_live.training.spotter.injected import injected, mouth_px
from mer_live.training.spotter.kept import code, kept, version
from mer_live.training.spotter.recordings import Footage, Recording, animated, tracked
from mer_live.training.synthesis.faces.face_model import FacePhoto
from mer_live.training.synthesis.sequence import Plan

Made = list[tuple[str, Recording]]
"""(name of the set, recording)."""
_CAMERA_FPS = 25


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    untouched: int = 1000
    """Clips of one talker at most, as they are."""
    takes: int = 20
    """Of these, clips into which movements are put."""
    injected: int = 24
    """With events while they speak; fewer clips are used several times, ..."""
    passes: int = 6
    """... at most so often."""
    silent_passes: int = 3
    """Silent stretches are few, and always used so often. A take that is a whole clip, a sentence, goes on backwards
    (or begins so, every other time), since its silences are too short to see a movement and what is around it."""
    longest_s: float = 60.0
    """Of one clip."""
    take_s: float = 4.0
    """Longer clips are cut into such takes before events are put in."""
    animated: int = 8
    """Animated clips per rate, each of another person."""
    seconds: float = 8.0
    """At 200 fps; twice as long at lower rates."""
    blinks_s: float = 200.0
    fades: int = 4
    rates: tuple[float, ...] = (200.0, 100.0, 50.0, 25.0)
    encoders: tuple[Encoder, ...] = ENCODERS
    noises: tuple[float, ...] = (0.7, 1.5, 3.0)
    """Gray levels."""
    still_s: float = 6.0
    flicker_fps: tuple[float, ...] = (30.0, 60.0, 100.0, 200.0)
    jobs: int = 2
    """Processes; times are processor time, so they do not count each other."""


QUICK = Scale(
    untouched=2,
    takes=2,
    injected=1,
    passes=1,
    silent_passes=1,
    longest_s=8.0,
    animated=1,
    seconds=6.0,
    blinks_s=8.0,
    fades=1,
    rates=(50.0, 25.0),
    encoders=(Encoder("libx264", 28, 60),),
    noises=(1.5,),
    still_s=4.0,
    flicker_fps=(50.0,),
    jobs=1,
)


@dataclass(frozen=True, slots=True)
class Task:
    """Recordings that are made together, and what they depend on."""

    make: Callable[[], Made]
    key: str
    """The same for the same recordings: arguments, and the bytes of the code that makes them."""


@dataclass(frozen=True, slots=True)
class Material:
    """Where people come from."""

    photos: Sequence[FacePhoto]
    """Of people whom no training saw."""
    talkers: dict[str, Sequence[Path]] = field(default_factory=dict)
    """Clips of each person, none with a micro-expression."""


def tasks(material: Material, scale: Scale, seed: int) -> Iterator[Task]:
    """Everything, the longest first."""
    photos = material.photos
    for rate in scale.rates:
        seconds = scale.seconds if rate > 100 else 2 * scale.seconds
        for k in range(scale.animated):
            photo = photos[k % len(photos)]
            yield _task("draw", partial(_animated, photo, seconds, rate, seed + 1000 * int(rate) + k, k))
    for k in range(scale.fades):
        photo = photos[k % len(photos)]
        yield _task("draw", partial(_faded, photo, scale.seconds, seed + 500 + k))
    for k in range(round(scale.blinks_s / 20) or 1):
        photo = photos[k % len(photos)]
        yield _task("draw", partial(_blinking, photo, min(20.0, scale.blinks_s), seed + 700 + k))
    for person, clips in material.talkers.items():
        chosen = _spread(clips, scale.takes)
        each = min(scale.passes, -(-scale.injected // len(chosen)))
        for clip in dict.fromkeys([*chosen, *_spread(clips, scale.untouched)]):
            speaking, silent = (each, scale.silent_passes) if clip in chosen else (0, 0)
            some = partial(_talker, clip, person, speaking, silent, scale.take_s, scale.longest_s, seed)
            yield _task("film", some)
    for k, encoder in enumerate(scale.encoders):
        for j, noise in enumerate(scale.noises):
            photo = photos[(k + j) % len(photos)]
            yield _task("still", partial(_encoded, photo, encoder, noise, scale.still_s, seed + 10 * k + j))
    for fps in scale.flicker_fps:
        for hz in (100.0, 120.0):
            yield _task("still", partial(_flickered, photos[0], fps, hz, 0.5 * scale.still_s, seed))
    yield _task("still", partial(_stopped, photos[0], scale.still_s, seed))


def _spread(clips: Sequence[Path], most: int) -> list[Path]:
    return [clips[round(k)] for k in np.linspace(0, len(clips) - 1, min(most, len(clips)))]


def recorded(todo: Sequence[Task], folder: Path | None, jobs: int) -> dict[str, list[Recording]]:
    """Set name -> its recordings; those that a folder holds are not made again."""
    if jobs == 1:
        done = [_made(task, folder) for task in todo]
    else:
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            done = list(pool.map(partial(_made, folder=folder), todo))
    sets: dict[str, list[Recording]] = {}
    for name, recording in (pair for pairs in done for pair in pairs):
        sets.setdefault(name, []).append(recording)
    return sets


def _made(task: Task, folder: Path | None) -> Made:
    if folder is None:
        return task.make()
    return kept(folder / f"{task.key}.pkl", task.make)


_SEEN = (face, motion, representation, recordings)
_CODE = {"draw": (*_SEEN, synthesis), "film": (*_SEEN, synthesis, injecting), "still": (*_SEEN, cameras)}
"""What recordings hang on; the path between these only hands on."""


def _task(kind: str, make: partial[Made]) -> Task:
    said = [a.subject if isinstance(a, FacePhoto) else repr(a) for a in make.args]
    text = code(inspect.getsource(make.func))
    key = hashlib.sha256(f"{version(*_CODE[kind])} {text} {said}".encode()).hexdigest()[:24]
    return Task(make, f"{make.func.__name__.strip('_')}-{key}")


def _animated(photo: FacePhoto, seconds: float, rate: float, seed: int, k: int) -> Made:
    plan = Plan(event_every_s=1.2, blink_every_s=2.0)
    made = animated(photo, rate, seed, seconds, plan=plan, keep_crops=rate == 200 and k < 3)
    return [(f"animated {rate:.0f} fps", made)]


def _faded(photo: FacePhoto, seconds: float, seed: int) -> Made:
    plan = Plan(event_every_s=0.8, other_every_s=0.0, slow_fades=1.0)
    return [("slow fades", animated(photo, 25.0, seed, 2 * seconds, plan=plan))]


def _blinking(photo: FacePhoto, seconds: float, seed: int) -> Made:
    plan = Plan(event_every_s=8.0, blink_every_s=0.7, other_every_s=0.0)
    return [("blinks", animated(photo, 25.0, seed, seconds, plan=plan))]


def _talker(
    clip: Path, person: str, speaking: int, silent: int, take_s: float, longest_s: float, seed: int
) -> Made:
    whole = Footage(clip, 0.0, longest_s, person)
    plain = replace(whole.plain, mouth_px=mouth_px(whole.plain))
    made: Made = [(f"talker {person}", plain)]
    cuts = max(1, round(len(whole.frames) / whole.fps / take_s))
    takes = (
        [whole] if cuts == 1 else [Footage(clip, k * take_s, (k + 1) * take_s, person) for k in range(cuts)]
    )
    where = np.linspace(0, cuts, speaking, endpoint=False).astype(int)
    wanted = [(takes[k], True, seed + p) for p, k in enumerate(where)]
    for p in range(silent):
        quiet = takes if cuts > 1 else [whole.there_and_back(back_first=p % 2 == 1)]
        wanted += [(take, False, seed + p) for take in quiet]
    for take, talks, number in wanted:
        found = injected(take, number, speaking=talks)
        if found is not None:
            made.append((f"{'speaking' if talks else 'silent'} {person}", found))
    return made


def _encoded(photo: FacePhoto, encoder: Encoder, noise: float, seconds: float, seed: int) -> Made:
    fps = _CAMERA_FPS
    frames = through(motionless(photo, np.random.default_rng(seed), seconds, fps, noise), encoder, fps)
    return [(f"motionless {encoder.name}", _still(f"{encoder.name} noise {noise:g}", frames, fps))]


def _flickered(photo: FacePhoto, fps: float, hz: float, seconds: float, seed: int) -> Made:
    frames = flickering(photo, np.random.default_rng(seed), seconds, fps, hz)
    return [(f"flicker {hz:.0f} Hz", _still(f"{hz:.0f} Hz at {fps:.0f} fps", frames, fps))]


def _stopped(photo: FacePhoto, seconds: float, seed: int) -> Made:
    frames = motionless(photo, np.random.default_rng(seed), seconds, _CAMERA_FPS, 1.0)
    twice = [frame for frame in frames for _ in range(2)]
    return [
        ("standing picture", _still("standing", [frames[0]] * len(frames), _CAMERA_FPS)),
        ("repeated frames", _still("twice", twice, 2 * _CAMERA_FPS)),
    ]


def _still(name: str, frames: Iterable[cameras.Image], fps: float) -> Recording:
    cv2.setNumThreads(1)
    return tracked(name, "natural", frames, fps, person="motionless")

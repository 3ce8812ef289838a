"""The spotter's judges fitted on a database's long videos, each person once judged by what the others taught.

What finds movements (``speech``, ``apex``, ``offset``, the covariance of faces) stays as it ships: it has many weights,
and a database few movements. Learnt is how a candidate is judged by all that is seen around it (``final``,
``settled``, which are linear), and how every score is to be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.realtime import face, motion, spotter
from mer_live.realtime.path import FacePath
from mer_live.realtime.spotter.config import Judged, SpotterConfig
from mer_live.realtime.spotter.score import COEFFICIENTS, Scorer
from mer_live.realtime.spotter.spotter import Spotter
from mer_live.realtime.types import Frame, Moment, Span
from mer_live.training.datasets.sample import DatasetError, LongVideo, Reading
from mer_live.training.spotter.fit import write
from mer_live.training.spotter.kept import kept, version
from mer_live.training.spotter.looks import rightness
from mer_live.training.spotter.net import calibrated, judge
from mer_live.training.synthesis.clips import Truth

_LEAST = 5
"""Right and wrong candidates that a judge is fitted on at least; with fewer the shipped one stays."""
_JUDGES = ("final", "settled")
_ALL = SpotterConfig(sensitivity=0.0)
"""Nothing is announced, so that nothing hides a candidate after it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A scored movement of somebody, and how well an annotated micro-expression answers it."""

    subject: str
    told: Judged
    rightness: float
    """IoU; of one that has only turned back, 1 where its apex lies inside (`looks.rightness`)."""

    @property
    def right(self) -> bool:
        """Whether it is one."""
        return self.rightness >= 0.5


def fit_owned(
    reading: Reading,
    out: Path,
    cache: Path,
    jobs: int = 1,
    progress: Callable[[str], None] = lambda key: None,
) -> list[Path]:
    """Write ``spotter.json``, learnt from everybody, and ``held_out.json``: person -> learnt from all others.

    Args:
        reading: Of a database with long videos; macro-expressions count as something else.
        out: Folder to write.
        cache: What was watched, so that a stopped fit goes on.
        jobs: Processes.
        progress: Told the key of each video that was watched.

    Raises:
        DatasetError: There is no long video, or fewer than two people in them.
        FrameError, LandmarkerError: As of the frames and the live path.
    """
    people = {video.subject for video in reading.videos}
    if len(people) < 2:
        raise DatasetError(
            f"learning and leaving one person out needs two or more with long videos, there is {len(people)}"
        )
    told: list[Candidate] = []
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for video, found in zip(reading.videos, pool.map(partial(watch, cache), reading.videos), strict=True):
            told += candidates(video, found)
            progress(video.key)
    base = _uncalibrated(json.loads(COEFFICIENTS.read_text(encoding="utf-8")))
    about = {
        "made_by": f"mer-train fit-spotter --dataset {reading.videos[0].dataset}",
        "attribution": f"Judges fitted on {reading.videos[0].dataset}. All else: {base['attribution']}",
    }
    paths = [out / "spotter.json", out / "held_out.json"]
    write({**base, **about, "networks": fitted(told, base)}, paths[0])
    held = {
        person: {**base, **about, "networks": fitted([c for c in told if c.subject != person], base)}
        for person in sorted(people)
    }
    write(held, paths[1])
    return paths


def watch(cache: Path, video: LongVideo) -> list[Judged]:
    """All that the live path takes for a candidate in a video, announced or not; kept in a file."""

    def make() -> list[Judged]:
        told: list[Judged] = []
        base = _uncalibrated(json.loads(COEFFICIENTS.read_text(encoding="utf-8")))
        times_ns = _times_ns(video)
        with FacePath(spotter=Spotter(_ALL, told.append, Scorer(base))) as path:
            for index, image in enumerate(video.frames.read(range(len(times_ns)))):
                path.step(Frame(index, times_ns[index], image))
            path.finish()
        return told

    return kept(cache / version(face, motion, spotter) / f"{video.key.replace('/', '-')}.pkl", make)


def candidates(video: LongVideo, told: Sequence[Judged]) -> Iterator[Candidate]:
    """What was watched, each beside the annotation of the video's micro-expressions."""
    times_ns = _times_ns(video)
    position = {number: k for k, number in enumerate(video.frames.numbers)}

    def moment(number: int) -> Moment:
        # A number without a picture is the nearest one before.
        k = position.get(number, max(0, sum(n <= number for n in video.frames.numbers) - 1))
        return Moment(k, times_ns[k])

    truths = []
    for one in video.intervals:
        last = video.frames.numbers[-1] if one.offset is None else one.offset
        apex = (one.onset + last) // 2 if one.apex is None else one.apex
        if one.kind == "micro":
            truths.append(Truth("", Span(moment(one.onset), moment(apex), moment(last)), float("nan")))
    for j in told:
        yield Candidate(video.subject, j, rightness(j, truths))


def fitted(told: Sequence[Candidate], base: dict[str, Any]) -> dict[str, Any]:
    """The networks with judges and calibration of these people; no score is read by what its own person taught."""
    networks = _judged(told, base)
    heard: dict[str, list[tuple[float, bool, float]]] = {"apex": [], **{name: [] for name in _JUDGES}}
    for person in sorted({c.subject for c in told}):
        knowing = Scorer({**base, "networks": _judged([c for c in told if c.subject != person], base)})
        for c in (c for c in told if c.subject == person):
            phase = c.told.phase
            score = c.told.score if phase == "apex" else knowing.judge(phase, c.told.features)
            heard[phase].append((score, c.right, 1.0))  # the videos are natural: every moment counts once
    return {**networks, **{name: calibrated(networks[name], found) for name, found in heard.items()}}


def _judged(told: Sequence[Candidate], base: dict[str, Any]) -> dict[str, Any]:
    networks = dict(base["networks"])
    for name in _JUDGES:
        # A candidate that half answers a truth is neither right nor wrong.
        plain = [c for c in told if c.told.phase == name and not 0.3 < c.rightness < 0.5]
        right = sum(c.right for c in plain)
        if min(right, len(plain) - right) >= _LEAST:
            features = np.array([c.told.features for c in plain])
            networks[name] = judge(features, np.array([c.right for c in plain]))
    return networks


def _uncalibrated(made: dict[str, Any]) -> dict[str, Any]:
    nets = {
        name: {**net, "gain": 1.0, "bias": 0.0} if name in ("apex", *_JUDGES) else net
        for name, net in made["networks"].items()
    }
    return {**made, "networks": nets}


def _times_ns(video: LongVideo) -> list[int]:
    return [round(step * 1e9 / video.fps) for step in video.frames.steps]

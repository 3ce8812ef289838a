"""Long videos through the live path, one a job: decisions, classes of what was found, delays."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.engines.bundle import common_classes, file_sha256, load_bundle
from mer_live.engines.executors import Executor, LocalExecutor
from mer_live.engines.files import write_json
from mer_live.engines.records import from_json, to_json
from mer_live.engines.versions import versions
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.path import FacePath, Spotted
from mer_live.realtime.process import settle_process
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.spotter.config import SpotterConfig
from mer_live.realtime.spotter.score import Scorer
from mer_live.realtime.spotter.spotter import Spotter
from mer_live.realtime.types import Frame
from mer_live.training.datasets.sample import DatasetError, Interval, LongVideo, Reading
from mer_live.training.datasets.schemes import relabelled
from mer_live.training.evaluation.spotting.score import Expression, Watched, right, score
from mer_live.training.spotter.match import Decision, decisions

Progress = Callable[[int, int, str], None]
"""(videos done, videos in all, key of the one just finished)."""


@dataclass(frozen=True, slots=True)
class SpotSettings:
    """What every video is watched with."""

    bundles: tuple[str, ...]
    """Shipped names or folders; they name what was found. Empty: spotting alone is scored."""
    sensitivity: float = 0.5
    backend: str = "auto"
    coefficients: str = ""
    """File of `spotter.owned.fit_owned`; empty: those that ship."""
    macro: bool = False
    """Also look for macro-expressions."""


def spot_evaluate(
    reading: Reading,
    settings: SpotSettings,
    out: Path,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Watch every long video of a database and score all of them together.

    The spotter and the bundles are those that run live. The coefficients that ship were fitted on no database, so
    nobody needs to be left out; of ``settings.coefficients`` each person is given those that they did not teach. A
    bundle of the user's own must not have been trained on these people; ``data`` of each card is part of the result.
    Where the bundles' classes are not the usual three, the annotators' words are read in theirs.
    Finished videos lie in ``out/videos``; a stopped run goes on with them.

    Returns:
        As `score`, and ``dataset``, ``settings``, ``classes``, ``bundles``, ``skipped``, ``notes``, ``watched`` and
        ``versions``.

    Raises:
        DatasetError: The reader gives no long video.
        ValueError, BundleError, BackendError, LandmarkerError, FrameError: as the live path and the frames raise.
    """
    if not reading.videos:
        raise DatasetError("no long video was read: spotting is judged on casme-sq, samm-lv and casme3")
    LiveConfig(sensitivity=settings.sensitivity)
    bundles = [load_bundle(name) for name in settings.bundles]
    classes = common_classes(bundles) if bundles else reading.classes
    if classes != reading.classes:
        reading = relabelled(reading, classes)
    for person in sorted({video.subject for video in reading.videos}):
        _scorer(settings, person)
    files = {v.key: out / "videos" / f"{v.key.replace('/', '-')}.json" for v in reading.videos}
    known = {v.key: _kept(files[v.key], settings, v) for v in reading.videos}
    watched = {key: one for key, one in known.items() if one is not None}
    work = [video for video in reading.videos if video.key not in watched]
    for video, one in (executor or LocalExecutor()).run(watch_video, settings, work):
        write_json(files[video.key], {"of": _print(settings, video), "watched": to_json(one)})
        watched[video.key] = one
        if progress is not None:
            progress(len(watched), len(reading.videos), video.key)
    ordered = [watched[video.key] for video in reading.videos]
    return score(ordered, macro=settings.macro, classes=classes) | {
        "dataset": reading.videos[0].dataset,
        "settings": to_json(settings),
        "classes": list(classes),
        "bundles": {bundle.card.name: bundle.card.data for bundle in bundles},
        "skipped": [{"name": one.name, "reason": one.reason} for one in reading.skipped],
        "notes": list(reading.notes),
        "watched": to_json(ordered),
        "versions": versions(),
    }


def watch_video(settings: SpotSettings, video: LongVideo) -> Watched:
    """One video through `FacePath`, frame by frame, as ``mer-live --video`` sees it; settled events count.

    An annotated interval without an offset ends with the video; one without an apex has its delay counted from the
    temporal middle. Raises FrameError for a frame that cannot be decoded.
    """
    settle_process()
    recognizer = _recognizer(settings) if settings.bundles else None
    labels: dict[int, int] = {}
    told: list[Spotted] = []
    times_ns = [round(step * 1e9 / video.fps) for step in video.frames.steps]
    seen = 0

    def take(spotted: tuple[Spotted, ...]) -> None:
        for one in spotted:
            if recognizer is not None and one.clip is not None and one.spot.phase == "offset":
                labels[one.spot.id] = int(recognizer.recognize(one.clip).probs.argmax())
            told.append(one)

    adm = None if recognizer is None else recognizer.adm
    spotter = Spotter(
        SpotterConfig(sensitivity=settings.sensitivity), scorer=_scorer(settings, video.subject)
    )
    with FacePath(LiveConfig(macro=settings.macro), adm=adm, spotter=spotter) as path:
        for index, image in enumerate(video.frames.read(range(len(times_ns)))):
            step = path.step(Frame(index, times_ns[index], image))
            seen += step.crop is not None
            take(step.spotted)
        take(path.finish())
    numbers = video.frames.numbers
    stands = [d for d in decisions(one.spot for one in told) if d.stands]
    kinds = {one.spot.id: one.spot.kind for one in told}
    found = tuple(
        Expression(numbers[d.span.onset.frame], numbers[d.span.end.frame], kinds[d.id], labels.get(d.id))
        for d in stands
    )
    truths = tuple(Expression(i.onset, _last(i, video), i.kind, i.label) for i in video.intervals)
    pairs = right(truths, found)
    delays = _delays(
        video, times_ns, [(video.intervals[i], stands[k]) for i, k in pairs if found[k].kind == "micro"]
    )
    return Watched(video.key, video.subject, seen / video.fps, truths, found, delays)


def _last(interval: Interval, video: LongVideo) -> int:
    return video.frames.numbers[-1] if interval.offset is None else interval.offset


def _delays(
    video: LongVideo, times_ns: Sequence[int], answered: Sequence[tuple[Interval, Decision]]
) -> Mapping[str, tuple[float, ...]]:
    found: dict[str, list[float]] = {"provisional": [], "final": [], "settled": []}
    for interval, d in answered:
        last = _last(interval, video)
        apex = (interval.onset + last) / 2 if interval.apex is None else interval.apex
        for state, at_ns, frame in (
            ("provisional", d.announced_ns, apex),
            ("final", d.final_ns, last),
            ("settled", d.settled_ns, last),
        ):
            if at_ns is not None:
                true_ns = float(np.interp(frame, video.frames.numbers, times_ns))
                found[state].append((at_ns - true_ns) / 1e6)
    return {state: tuple(values) for state, values in found.items()}


@lru_cache(1)
def _recognizer(settings: SpotSettings) -> Recognizer:
    """One a worker, for all its videos; it lives as long as the process."""
    return Recognizer([load_bundle(name) for name in settings.bundles], settings.backend)


def _scorer(settings: SpotSettings, person: str) -> Scorer | None:
    """Coefficients that this person did not teach; None: those that ship."""
    if not settings.coefficients:
        return None
    file = Path(settings.coefficients)
    try:
        made = json.loads(file.read_text(encoding="utf-8"))
        return Scorer(made if "networks" in made else made[person])
    except KeyError as error:
        raise ValueError(
            f"{file} holds nothing that was learnt without {person}: make it with mer-train fit-spotter on this "
            "database"
        ) from error


def _print(settings: SpotSettings, video: LongVideo) -> dict[str, Any]:
    """What a finished video depends on."""
    frames = [len(video.frames.numbers), video.frames.numbers[0], video.frames.numbers[-1]]
    return {
        "settings": to_json(settings),
        "coefficients": file_sha256(Path(settings.coefficients)) if settings.coefficients else "",
        "bundles": [load_bundle(name).card.sha256 for name in settings.bundles],
        "fps": video.fps,
        "frames": frames,
        "intervals": to_json(video.intervals),
        "mer-live": versions(("mer-live",))["mer-live"],
    }


def _kept(file: Path, settings: SpotSettings, video: LongVideo) -> Watched | None:
    """What an earlier run of the same found; None where there is none."""
    try:
        made = json.loads(file.read_text(encoding="utf-8"))
        return from_json(Watched, made["watched"]) if made["of"] == _print(settings, video) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None

"""`mer-bench spotting`: the causal spotter on injected, animated and untouched clips, against the targets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.benchmarks.result import Result as BenchmarkResult
from mer_live.benchmarks.spotting.figures import figures
from mer_live.realtime.spotter.score import Scorer
from mer_live.realtime.spotter.spotter import Judged, SpotterConfig
from mer_live.training.spotter.fit import HELD_OUT, is_right
from mer_live.training.spotter.match import Result, counts, decide, prf, summarise
from mer_live.training.spotter.recordings import Footage, Recording, animated
from mer_live.training.synthesis.face_model import FacePhoto, list_subjects, load_photo, split_of

RATES = (200.0, 100.0, 50.0, 25.0)
SENSITIVITIES = (0.2, 0.35, 0.5, 0.65, 0.8)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    clips: int = 6
    """Animated clips per rate."""
    seconds: float = 9.0
    passes: int = 6
    """Injections per real clip, each with other events."""
    clip_seconds: float = 1e6
    rates: tuple[float, ...] = RATES
    jobs: int = 2
    """Processes that render; times are processor time, so they do not count each other."""


QUICK = Scale(clips=2, seconds=6.0, passes=1, clip_seconds=12.0, jobs=1)


def portrait() -> FacePhoto:
    """The public-domain portrait in scikit-image, where there is no folder of faces."""
    import cv2
    from skimage import data

    from mer_live.realtime.face.landmarks import detect_landmarks

    image = np.ascontiguousarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR))
    marks = detect_landmarks(np.asarray(image, np.uint8))
    if marks is None:
        raise ValueError("no face was found in scikit-image's portrait: reinstall scikit-image")
    return FacePhoto("portrait", np.asarray(image, np.uint8), marks)


def people(faces: Path | None, scale: Scale) -> tuple[list[FacePhoto], str]:
    """Held-out people, and a sentence about who they are."""
    if faces is None or not faces.is_dir():
        return [portrait()], f"no faces at {faces}: the portrait of scikit-image alone was animated"
    names = [name for name in list_subjects(faces) if split_of(name) == "test"][: scale.clips]
    return [load_photo(faces, name) for name in names], f"{len(names)} people whom no training saw"


def _animated(photo: FacePhoto, scale: Scale, rate: float, seed: int, k: int) -> list[tuple[str, Recording]]:
    """One recording of set (b); some crops at 200 fps are kept for the offline search."""
    number = seed + 1000 * int(rate) + k
    made = animated(photo, rate, number, scale.seconds, keep_crops=rate == 200 and k < 3)
    return [(f"animated {rate:.0f} fps", made)]


def _real(path: Path, scale: Scale, seed: int) -> list[tuple[str, Recording]]:
    """One clip's part of sets (a) and (c)."""
    footage = Footage(path, last_s=scale.clip_seconds)
    injected = [(f"injected {path.stem}", footage.injected(seed + k)) for k in range(scale.passes)]
    return [(f"untouched {path.stem}", footage.untouched()), *injected]


def recorded(
    photos: Sequence[FacePhoto], clips: Sequence[Path], scale: Scale, seed: int
) -> dict[str, list[Recording]]:
    """Set name -> its recordings; the order does not depend on how many work at it."""
    tasks = [partial(_real, path, scale, seed) for path in clips]
    for rate in scale.rates:
        tasks += [
            partial(_animated, photos[k % len(photos)], scale, rate, seed, k) for k in range(scale.clips)
        ]
    if scale.jobs == 1:
        done = [task() for task in tasks]
    else:
        with ProcessPoolExecutor(scale.jobs, get_context("spawn")) as pool:
            done = [job.result() for job in [pool.submit(task) for task in tasks]]
    sets: dict[str, list[Recording]] = {}
    for name, recording in (pair for pairs in done for pair in pairs):
        sets.setdefault(name, []).append(recording)
    return sets


def scorer_for(name: str) -> Scorer | None:
    """Coefficients that have not seen a real clip; None (those shipped) for everything else."""
    if not HELD_OUT.exists():
        return None
    for clip, made in json.loads(HELD_OUT.read_text(encoding="utf-8")).items():
        if clip in name:
            return Scorer(made)
    return None


def offline_errors(recordings: Sequence[Recording]) -> dict[str, Any]:
    """Apex errors, ms, of the published offline search on clips cut at the true onset and offset."""
    from mer_live.training.prepare.apex_search import find_apex

    errors: dict[str, list[float]] = {"exhaustive": [], "divide": [], "middle": []}
    for r in recordings:
        if r.crops is None:
            continue
        for t in r.truths:
            a, b = np.searchsorted(r.times_ns, (t.onset_ns, t.offset_ns))
            times, cut = r.times_ns[a : b + 1], r.crops[a : b + 1]
            for search in ("exhaustive", "divide"):
                k = find_apex(cut, search=search)  # type: ignore[arg-type]
                errors[search].append(abs(float(times[k] - t.apex_ns)) / 1e6)
            errors["middle"].append(abs(float(times[len(times) // 2] - t.apex_ns)) / 1e6)
    return {
        name: {"n": len(v), "median_ms": float(np.median(v)) if v else None} for name, v in errors.items()
    }


def curve(recordings: Sequence[Recording], name: str) -> list[dict[str, Any]]:
    """Precision, recall and F1 at 1.5 px and more, one point a sensitivity."""
    points = []
    for s in SENSITIVITIES:
        results = [decide(r, SpotterConfig(sensitivity=s), scorer=scorer_for(name)) for r in recordings]
        points.append({"sensitivity": s, **prf(*counts(results, 1.5))})
    return points


def run(
    *,
    quick: bool = False,
    out: Path | None = None,
    faces: Path | None = None,
    clips: Path | None = None,
    seed: int = 1,
    plots: bool = True,
) -> BenchmarkResult:
    """The benchmark in the family's common format; files per clip go under ``out`` where it is given."""
    scale = QUICK if quick else Scale()
    report = measure(faces, clips, out, scale=scale, seed=seed, plots=plots)
    settings = {"seed": seed, "people": report["note"], **asdict(scale)}
    return BenchmarkResult("spotting", settings=settings, figures=figures(report), details=report)


def measure(
    faces: Path | None,
    clips: Path | None,
    out: Path | None,
    *,
    scale: Scale | None = None,
    seed: int = 1,
    plots: bool = True,
) -> dict[str, Any]:
    """Measure everything; write truth, predictions and pictures under ``out``; return the report."""
    scale = scale or Scale()
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    photos, said = people(faces, scale)
    real = sorted(clips.glob("*.mp4")) if clips is not None else []
    if not real:
        said += f"; no real clips at {clips}: sets (a) and (c) were left out"
    recordings = recorded(photos, real, scale, seed)
    heard: list[tuple[Judged, bool]] = []
    results: dict[str, list[Result]] = {}
    for name, group in recordings.items():
        results[name] = []
        for recording in group:
            judged: list[Judged] = []
            results[name].append(decide(recording, listen=judged.append, scorer=scorer_for(name)))
            heard += [(j, is_right(j, recording.truths)) for j in judged if j.phase == "offset"]
    report: dict[str, Any] = {
        "note": said,
        "seed": seed,
        "scale": asdict(scale),
        "sets": {name: summarise(group) for name, group in results.items()},
        "offline_apex": offline_errors(recordings.get("animated 200 fps", [])),
        "curves": {name: curve(group, name) for name, group in recordings.items() if "untouched" not in name},
    }
    for kind in ("untouched", "injected"):
        together = [r for name, group in results.items() if name.startswith(kind) for r in group]
        if together:
            report["sets"][f"{kind} together"] = summarise(together)
    report["reliability"] = reliable(heard)
    if out is not None:
        _write_clips(results, out)
        if plots:
            _draw(results, report, out)
    return report


def _write_clips(results: dict[str, list[Result]], out: Path) -> None:
    for group in results.values():
        for r in group:
            data = {
                "name": r.recording.name,
                "fps": r.recording.fps,
                "truth": [asdict(t) for t in r.recording.truths],
                "distractors": [list(d) for d in r.recording.distractors],
                "predictions": [asdict(d) for d in r.decisions],
                "pairs": r.pairs,
            }
            path = out / f"{r.recording.kind}-{r.recording.name}.json"
            path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def reliable(heard: Sequence[tuple[Judged, bool]], bins: int = 10) -> list[dict[str, float | int]]:
    """How often finished candidates of a score are micro-expressions, score by score."""
    score = np.array([j.score for j, _ in heard])
    right = np.array([ok for _, ok in heard])
    place = np.minimum((score * bins).astype(int), bins - 1) if len(heard) else score
    return [
        {
            "score": float(score[place == k].mean()),
            "right": float(right[place == k].mean()),
            "n": int((place == k).sum()),
        }
        for k in range(bins)
        if (place == k).any()
    ]


def _draw(results: dict[str, list[Result]], report: dict[str, Any], out: Path) -> None:
    from mer_live.benchmarks.spotting.plots import precision_recall, reliability, timeline

    for group in results.values():
        for r in group:
            timeline(r, out / f"{r.recording.kind}-{r.recording.name}.png")
    reliability(report["reliability"], out / "reliability.png")
    precision_recall(report["curves"], out / "precision-recall.png")

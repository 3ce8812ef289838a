"""`mer-bench spotting`: the causal spotter on people who talk, on faces that do not move, and on animated ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.benchmarks.result import Result as BenchmarkResult
from mer_live.benchmarks.spotting.figures import figures
from mer_live.benchmarks.spotting.sets import QUICK, Material, Scale, recorded, tasks
from mer_live.benchmarks.spotting.summary import counts, prf, reliability, summarise
from mer_live.engines.files import write_json
from mer_live.realtime.spotter.score import Scorer
from mer_live.realtime.spotter.spotter import SpotterConfig
from mer_live.training.spotter.fit import held_out
from mer_live.training.spotter.match import Judgement, decide
from mer_live.training.spotter.material import WEBCAM
from mer_live.training.spotter.recordings import Recording
from mer_live.training.synthesis.faces.face_model import FacePhoto, list_subjects, load_photo, split_of

SENSITIVITIES = (0.35, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8)


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


def material(faces: Path | None, talking: Path | None, clips: Path | None, scale: Scale) -> Material:
    """People whom no training saw, and clips of each talker.

    Raises:
        ValueError: a folder that does not hold what it should; the sentence says what.
    """
    if faces is None:
        photos = [portrait()]
    else:
        if not faces.is_dir():
            raise ValueError(f"{faces} is no folder; give one with NAME_neutral.jpg photographs.")
        names = [name for name in list_subjects(faces) if split_of(name) == "test"][: scale.animated]
        if not names:
            raise ValueError(f"{faces} holds no NAME_neutral.jpg of a person who is kept for tests.")
        photos = [load_photo(faces, name) for name in names]
    talkers: dict[str, Sequence[Path]] = {}
    if talking is not None:
        for folder in sorted(p for p in talking.glob("*") if p.is_dir()):
            talkers[folder.name] = _videos(folder)
    if clips is not None:
        talkers[WEBCAM] = _videos(clips)
    for person, found in talkers.items():
        if not found:
            raise ValueError(f"The folder of {person} holds no .mp4, .mpg or .avi clip.")
    return Material(photos, talkers)


def _videos(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in (".mp4", ".mpg", ".avi", ".mkv"))


def scorer_for(recording: Recording) -> Scorer | None:
    """Coefficients that have not seen this person; None, those shipped, for people whom no fit saw."""
    return _held_out().get(recording.person)


_held_out = cache(held_out)


def offline_errors(recordings: Sequence[Recording]) -> dict[str, Any]:
    """Apex errors, ms, of the published offline search on clips cut at the true onset and offset."""
    from mer_live.training.prepare.apex_search import find_apex

    errors: dict[str, list[float]] = {"exhaustive": [], "divide": [], "middle": []}
    for r in recordings:
        if r.crops is None:
            continue
        for t in r.truths:
            a, b = np.searchsorted(r.times_ns, (t.span.onset.t_ns, t.span.end.t_ns))
            times, cut = r.times_ns[a : b + 1], r.crops[a : b + 1]
            for search in ("exhaustive", "divide"):
                k = find_apex(cut, search=search)  # type: ignore[arg-type]
                errors[search].append(abs(float(times[k] - t.span.apex.t_ns)) / 1e6)
            errors["middle"].append(abs(float(times[len(times) // 2] - t.span.apex.t_ns)) / 1e6)
    return {
        name: {"n": len(v), "median_ms": float(np.median(v)) if v else None} for name, v in errors.items()
    }


def decided(recordings: Sequence[Recording], sensitivity: float = 0.5) -> list[Judgement]:
    """Each recording judged by coefficients that have not seen the person."""
    config = SpotterConfig(sensitivity=sensitivity)
    return [decide(r, config, scorer=scorer_for(r)) for r in recordings]


def run(
    *,
    quick: bool = False,
    out: Path | None = None,
    faces: Path | None = None,
    talking: Path | None = None,
    clips: Path | None = None,
    cache: Path | None = None,
    seed: int = 1,
) -> BenchmarkResult:
    """The benchmark in the family's common format; truth, decisions and pictures go under ``out``.

    Raises:
        ValueError: a folder is missing; only a quick run does without.
    """
    scale = QUICK if quick else Scale()
    wanted = {"--faces": faces, "--talking": talking, "--clips": clips}
    missing = [name for name, folder in wanted.items() if folder is None]
    if missing and not quick:
        raise ValueError(f"Give {', '.join(missing)} (benchmarks/README.md says what they hold), or --quick.")
    report = measure(material(faces, talking, clips, scale), scale, out=out, kept=cache, seed=seed)
    settings = {"seed": seed, "people": report["people"], **asdict(scale)}
    return BenchmarkResult("spotting", settings=settings, figures=figures(report), details=report)


def measure(
    people: Material, scale: Scale, *, out: Path | None = None, kept: Path | None = None, seed: int = 1
) -> dict[str, Any]:
    """Measure everything; write truth, decisions and pictures under ``out``; return the report."""
    recordings = recorded(list(tasks(people, scale, seed)), kept, scale.jobs)
    results = {name: decided(group) for name, group in recordings.items()}
    report: dict[str, Any] = {
        "people": {"animated": [p.subject for p in people.photos], "talkers": sorted(people.talkers)},
        "seed": seed,
        "sets": {name: summarise(group) for name, group in results.items()},
        "offline_apex": offline_errors(recordings.get("animated 200 fps", [])),
        "curves": {},
        "cut": at_precision({}),
    }
    for kind in ("talker", "speaking", "silent", "motionless", "flicker"):
        together = [r for name, group in results.items() if name.startswith(f"{kind} ") for r in group]
        if together:
            report["sets"][f"{kind}: together"] = summarise(together)
        if any(r.recording.truths for r in together):
            swept = {s: decided([r.recording for r in together], s) for s in SENSITIVITIES}
            report["curves"][kind] = [
                {"sensitivity": s, **prf(*counts(group, 1.5))} for s, group in swept.items()
            ]
            if kind == "speaking":
                report["cut"] = at_precision(swept)
    natural = [
        r for name, g in results.items() if name.split()[0] in ("talker", "speaking", "silent") for r in g
    ]
    report["reliability"] = reliability(natural)
    if out is not None:
        _write(results, report, out)
    return report


def at_precision(results: Mapping[float, Sequence[Judgement]], least: float = 0.85) -> dict[str, Any]:
    """Highest recall while speaking, of all parts of the face, at a sensitivity whose precision is ``least``.

    Args:
        results: of each sensitivity.
        least: precision that is asked.
    """
    best: dict[str, Any] = {"sensitivity": None, "all": prf(0, 0, 0), "upper": prf(0, 0, 0)}
    for sensitivity, group in results.items():
        found = prf(*counts(group, 1.5, speaking=True))
        enough = found["precision"] is not None and found["precision"] >= least
        if enough and (found["recall"] or 0.0) > (best["all"]["recall"] or 0.0):
            upper = prf(*counts(group, 1.5, speaking=True, part="upper"))
            best = {"sensitivity": sensitivity, "all": found, "upper": upper}
    return best


def _write(results: dict[str, list[Judgement]], report: dict[str, Any], out: Path) -> None:
    from mer_live.benchmarks.spotting.plots import precision_recall, timeline

    out.mkdir(parents=True, exist_ok=True)
    for name, group in results.items():
        for r in group:
            data = {
                "set": name,
                "name": r.recording.name,
                "fps": r.recording.fps,
                "truth": [asdict(t) for t in r.recording.truths],
                "distractors": [list(d) for d in r.recording.distractors],
                "decisions": [asdict(d) for d in r.decisions],
            }
            stem = f"{name}-{r.recording.name}".replace(" ", "_").replace("/", "_")
            write_json(out / f"{stem}.json", data)
            if r.decisions or r.recording.truths:
                timeline(r, out / f"{stem}.png")
    precision_recall(report["curves"], out / "precision-recall.png")

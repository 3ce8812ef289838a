"""Fits the spotter: signals of training people and of real clips -> realtime/spotter/spotter.json.

What is trained on, the benchmark does not report on: the people are those whom ``split_of`` calls train, and a
real clip is judged by coefficients fitted without it. ``mer-bench fit-spotter`` runs it.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.files import write_atomically
from mer_live.realtime.motion import meter
from mer_live.realtime.motion.regions import MIRROR
from mer_live.realtime.spotter.matched import FEATURES, Faces
from mer_live.realtime.spotter.pulses import COURSES, FINISHED, TURNED
from mer_live.realtime.spotter.score import COEFFICIENTS, Scorer
from mer_live.realtime.spotter.spotter import Judged, SpotterConfig
from mer_live.realtime.spotter.watch import Watch
from mer_live.training.spotter.match import decide, overlap
from mer_live.training.spotter.net import Examples, calibrated, joined, train
from mer_live.training.spotter.recordings import Footage, Recording, Truth, animated
from mer_live.training.spotter.signals import (
    R,
    Signals,
    mirrored,
    mixed,
    patterns,
    signals,
    varied,
    with_events,
)
from mer_live.training.synthesis.face_model import list_subjects, load_photo, split_of

Array = NDArray[np.float64]
HELD_OUT = Path(__file__).with_name("held_out.json")
"""Coefficients fitted without each real clip: the benchmark judges a clip by those that have not seen it."""
PHASES = {"apex": TURNED, "offset": FINISHED}
RATES = (25.0, 50.0, 100.0, 200.0)
STILLS = 20
VARIED_S = 480.0
"""Seconds of varied talking in each fit."""
_WARM_S = 0.6
_MIRROR = list(MIRROR)


@dataclass(frozen=True, slots=True)
class Source:
    """Part of the material that is left out as a whole when scores are calibrated."""

    talking: tuple[Signals, ...] = ()
    stills: tuple[Signals, ...] = ()
    recordings: tuple[Recording, ...] = ()
    """What calibration listens to."""


def cached(path: Path, make: Callable[[], Any]) -> Any:
    """What ``make`` returns, kept in a file, so that a stopped fit goes on."""
    if path.exists():
        return pickle.loads(path.read_bytes())
    made = make()
    write_atomically(path, pickle.dumps(made))
    return made


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
    both = np.concatenate([shapes, shapes[:, _MIRROR] * [-1.0, 1.0]]).reshape(2 * len(shapes), -1)
    centres = KMeans(12, n_init=3, random_state=seed).fit(_unit(both)).cluster_centers_
    other = centres.reshape(-1, R, 2)[:, _MIRROR] * [-1.0, 1.0]
    chosen = _unit(np.concatenate([centres, other.reshape(len(other), -1)]))
    return Faces(np.round(covariance / np.trace(covariance) * len(covariance), 4), np.round(chosen, 4))


def _unit(x: Array) -> Array:
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def examples(s: Signals, faces: Faces, rng: np.random.Generator, keep: float = 0.25) -> dict[str, Examples]:
    """Hypotheses about one stretch with their labels; of the wrong ones, a part."""
    watch = Watch(faces)
    found: dict[str, list[tuple[Array, NDArray[np.bool_]]]] = {phase: [] for phase in PHASES}
    for index, (t, rows) in enumerate(zip(s.times, s.rows, strict=True)):
        if not watch.add(round(t * 1e9), rows, index) or watch.age_s < _WARM_S:
            continue
        wanted = {}
        for phase in PHASES:
            label = labels(phase, watch.now_ns * 1e-9, s.truths)
            use = (label == 1) | ((label == 0) & (rng.random(len(label)) < keep))
            if use.any():
                wanted[phase] = (label, use)
        features = watch.filter.match().features if wanted else np.zeros((0, 0))
        for phase, (label, use) in wanted.items():
            found[phase].append((features[PHASES[phase]][use], label[use] == 1))
    made = {}
    for phase, parts in found.items():
        x = np.concatenate([f for f, _ in parts]) if parts else np.zeros((0, len(FEATURES)))
        made[phase] = Examples(x, np.concatenate([y for _, y in parts]) if parts else np.zeros(0, np.bool_))
    return made


def labels(phase: str, now_s: float, truths: Sequence[Truth]) -> NDArray[np.int64]:
    """(J,) 1 for hypotheses that a truth answers, 0 for those that none does, -1 for those in between."""
    rows = PHASES[phase]
    start, top = -COURSES.onset[rows], -COURSES.apex[rows]
    end = -COURSES.offset[rows] if phase == "offset" else top
    label = np.zeros(len(start), np.int64)
    for t in truths:
        onset, apex, offset = (ns * 1e-9 - now_s for ns in (t.onset_ns, t.apex_ns, t.offset_ns))
        last = offset if phase == "offset" else apex
        iou = np.clip(np.minimum(end, last) - np.maximum(start, onset), 0, None)
        iou = iou / (np.maximum(end, last) - np.minimum(start, onset))
        right = iou >= 0.6 if phase == "offset" else (iou >= 0.5) & (np.abs(top - apex) <= 0.05)
        label = np.where(right, 1, np.where((iou > 0.35) & (label == 0), -1, label))
    return label


def fit(sources: Sequence[Source], shapes: Array, seed: int, seconds: float = VARIED_S) -> dict[str, Any]:
    """Patterns, covariance and calibrated networks from some sources, as `Scorer` takes them."""
    rng = np.random.default_rng(seed)
    talkers = [s for s in sources if s.talking]
    faces = faces_of([x for s in talkers for x in s.talking], shapes, seed)
    parts: list[list[dict[str, Examples]]] = []
    for source in sources:
        part = [examples(s, faces, rng) for s in _material(source, shapes, rng, seconds / len(talkers))]
        parts.append(part)
    made: dict[str, Any] = {
        "faces": {"covariance": faces.covariance.tolist(), "patterns": faces.patterns.tolist()}
    }
    heard: list[tuple[Judged, bool]] = []
    for k, source in enumerate(sources):
        rest = [e for j, part in enumerate(parts) if j != k for e in part]
        nets = {phase: train(joined([e[phase] for e in rest]), seed=seed, members=1) for phase in PHASES}
        scorer = Scorer({**made, "networks": nets})
        for recording in source.recordings:
            told: list[Judged] = []
            # Raw scores are too high: at the lowest sensitivity about as much is announced as later.
            decide(recording, SpotterConfig(sensitivity=0.0), told.append, scorer)
            heard += [(j, is_right(j, recording.truths)) for j in told]
    everything = [e for part in parts for e in part]
    made["networks"] = {
        phase: calibrated(
            train(joined([e[phase] for e in everything]), seed=seed),
            [(j.score, right) for j, right in heard if j.phase == phase],
        )
        for phase in PHASES
    }
    return made


def is_right(j: Judged, truths: Sequence[Truth]) -> bool:
    """Whether a truth answers a candidate: IoU of 0.5, or for one that has just turned its apex inside."""
    if j.phase == "apex":
        return any(t.onset_ns <= j.apex_ns <= t.offset_ns for t in truths)
    return any(overlap((t.onset_ns, t.offset_ns), (j.onset_ns, j.offset_ns)) >= 0.5 for t in truths)


def _material(source: Source, shapes: Array, rng: np.random.Generator, seconds: float) -> list[Signals]:
    made: list[Signals] = []
    while source.talking and seconds > 0:
        s = varied(source.talking, rng)
        if rng.random() < 0.75:
            s = with_events(s, rng, shapes, float(rng.choice([0.5, 1.2])))
        made.append(s)
        seconds -= float(s.times[-1])
    for s in source.stills:
        rows = mirrored(s.rows) if rng.random() < 0.5 else s.rows.copy()
        rows[:, :R] *= float(np.exp(rng.normal(0, 0.15)))
        made.append(Signals(s.times, rows, s.truths))
    return made


def halves(recording: Recording) -> list[Recording]:
    """A recording cut in the middle."""
    from dataclasses import replace

    middle = len(recording.motions) // 2
    return [
        replace(recording, motions=recording.motions[part], times_ns=recording.times_ns[part])
        for part in (slice(0, middle), slice(middle, None))
    ]


def talker(recording: Recording, shapes: Array, rng: np.random.Generator) -> Source:
    """A clip without events as a source: calibration hears it as it is, and twice with events."""
    heard = (recording, *(mixed(recording, rng, shapes) for _ in range(2)))
    return Source(talking=tuple(signals(recording)), recordings=heard)


def fit_all(
    faces: Path, clips: Path, seed: int = 0, cache: Path = Path("out/fit-spotter"), jobs: int = 2
) -> None:
    """Render, fit, and write the shipped coefficients and those that have not seen each real clip."""
    version = hashlib.sha256(Path(meter.__file__).read_bytes()).hexdigest()[:12]
    kept = cache / f"{version}-{seed}"
    names = [name for name in list_subjects(faces) if split_of(name) == "train"]
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        plain = {p.stem: pool.submit(_watched, kept, p) for p in sorted(clips.glob("*.mp4"))}
        drawn = [pool.submit(_drawn, kept, faces, names[k % len(names)], k, seed) for k in range(STILLS)]
        shapes = cached(kept / "patterns.pkl", lambda: patterns(faces, names, np.random.default_rng(seed)))
        stills = [job.result() for job in drawn]
        still = [
            Source(stills=tuple(s for r in part for s in signals(r)), recordings=tuple(part))
            for part in (stills[0::2], stills[1::2])
        ]
        rng = np.random.default_rng(seed)
        whole = {name: job.result() for name, job in plain.items()}
        fits = {}
        for name in ("", *whole):
            kept_clips = [r for other, r in whole.items() if other != name]
            parts = kept_clips if len(kept_clips) > 1 else [h for r in kept_clips for h in halves(r)]
            sources = [*still, *(talker(r, shapes, rng) for r in parts)]
            fits[name] = pool.submit(fit, sources, shapes, seed)
        shipped = {"made_by": f"mer-bench fit-spotter --seed {seed}", "seed": seed, **fits.pop("").result()}
        write(shipped, COEFFICIENTS)
        write({name: job.result() for name, job in fits.items()}, HELD_OUT)


def _watched(kept: Path, clip: Path) -> Recording:
    recording: Recording = cached(kept / f"{clip.stem}.pkl", lambda: Footage(clip).plain)
    return recording


def _drawn(kept: Path, faces: Path, name: str, k: int, seed: int) -> Recording:
    rate = RATES[k % len(RATES)]

    def make() -> Recording:
        return animated(load_photo(faces, name), rate, seed + 1000 + k, 16 if rate < 60 else 10)

    recording: Recording = cached(kept / f"still-{k}.pkl", make)
    return recording


def write(made: dict[str, Any], path: Path) -> None:
    """The coefficients with how they were made."""
    path.write_text(json.dumps(made, separators=(",", ":")) + "\n", encoding="utf-8")

"""CDMER without a licence: the same synthetic people before three cameras, MADTN with and without MMD.

The three cameras stand in for SMIC-HS, SMIC-VIS and SMIC-NIR under their names, so that protocol TYPE-I runs
as it is. Nothing here says how well a method does on SMIC; it says whether the MMD term does its work.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.engines.executors import Executor
from mer_live.engines.files import write_json
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.represent import middle_frames, represent
from mer_live.engines.representation.specs import FramesSpec, MotionSpec, spec_to_json
from mer_live.realtime.types import CLASSES
from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
from mer_live.training.evaluation.fold_store import StoreError
from mer_live.training.prepared.index import save_array, write_index
from mer_live.training.prepared.prepared_set import COPIES
from mer_live.training.synthesis.camera import Light, Sensor
from mer_live.training.synthesis.clips import Take, render_clip
from mer_live.training.synthesis.faces.face_model import list_subjects, load_photo

_MIDDLES = 3
"""Middle frames per clip besides its own: MADTN's augmentation."""


@dataclass(frozen=True, slots=True)
class CameraKind:
    """One rendering of everybody."""

    stands_for: str
    fps: float
    face_px: float
    light: Light
    sensor: Sensor


CAMERAS = (
    CameraKind("smic-hs", 100.0, 260.0, Light(), Sensor(0.3, 0.6, 1.2)),
    CameraKind("smic-vis", 25.0, 190.0, Light(gain=1.1, gamma=0.9, offset=6), Sensor(0.7, 0.4, 0.8, 80)),
    # Near infrared: skin is bright and flat, the picture soft and noisy.
    CameraKind("smic-nir", 25.0, 170.0, Light(gain=0.75, gamma=0.5, offset=45), Sensor(1.1, 1.5, 1.5)),
)


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """What to render; the same plan gives the same bytes."""

    people: int = 24
    clips: int = 6
    """Per person and camera; classes take turns."""
    size: int = 56
    """Side of the motion-attention image, half of MADTN's: four times faster on a CPU."""
    frames: int = 0
    """Frames of 112 px spread over each clip, for LBP-TOP; 0 for none."""
    intensity_px: tuple[float, float] = (1.0, 3.5)
    seed: int = 0


def render(
    faces: Path, out: Path, plan: CameraPlan, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Render everybody before every camera into a prepared set; a set of the same plan is kept.

    Raises:
        ValueError: Fewer than two people, or a photograph cannot be used.
    """
    description = out / "prepare.json"
    spec = MotionSpec(size=plan.size)
    wanted = {"synthetic": json.loads(json.dumps(asdict(plan))), "representation": spec_to_json(spec)}
    if description.is_file() and json.loads(description.read_text(encoding="utf-8")) == wanted:
        return out
    people = list_subjects(faces)[: plan.people]
    if len(people) < 2:
        raise ValueError(f"{faces} holds {len(people)} face photograph: at least two people are needed")
    flow = make_flow(spec.flow)
    rows: list[Mapping[str, object]] = []
    images, spread, copies, owners = [], [], [], []
    total = len(people) * len(CAMERAS) * plan.clips
    for number, person in enumerate(people):
        photo = load_photo(faces, person)
        for c, camera in enumerate(CAMERAS):
            for k in range(plan.clips):
                rng = np.random.default_rng([plan.seed, c, number, k])
                label = (number + k) % len(CLASSES)
                take = Take(
                    camera.fps,
                    camera.face_px,
                    camera.light,
                    camera.sensor,
                    float(rng.normal(0, 0.04)),
                    rng.normal(0, 1, 4) * [1.0, 1.0, 0.01, 0.015],
                )
                strength = float(np.exp(rng.uniform(*np.log(plan.intensity_px))))
                made = render_clip(
                    photo, rng, label=CLASSES[label], intensity_px=strength, distractors=0.2, take=take
                )
                clip = made.clip
                images.append(represent(clip, spec, flow))
                if plan.frames:
                    spread.append(represent(clip, FramesSpec(steps=plan.frames, size=112)))
                middles = middle_frames(clip)
                for at in rng.choice(middles, min(_MIDDLES, len(middles)), replace=False):
                    copies.append(represent(replace(clip, apex=int(at)), spec, flow))
                    owners.append(len(rows))
                rows.append(
                    {
                        "key": f"{camera.stands_for}/{number + 1:03d}/{k}",
                        "dataset": camera.stands_for,
                        "subject": number + 1,
                        "label": CLASSES[label],
                        "fps": camera.fps,
                        "onset": clip.onset,
                        "apex": clip.apex,
                        "offset": clip.offset,
                    }
                )
                if progress is not None:
                    progress(len(rows), total)
    save_array(out / "motion.npy", np.stack(images))
    if spread:
        save_array(out / "frames.npy", np.stack(spread))
    save_array(out / COPIES / "motion.npy", np.stack(copies))
    save_array(out / COPIES / "motion.rows.npy", np.array(owners, np.int64))
    write_index(out, rows)
    write_json(description, wanted)
    return out


def compare(
    data: Path,
    out: Path,
    *,
    size: int,
    epochs: int,
    seeds: Sequence[int],
    weights: Sequence[float] = (0.0, 2.0),
    executor: Executor | None = None,
    progress: Callable[..., None] | None = None,
) -> dict[str, Any]:
    """Train MADTN on all TYPE-I tasks with each MMD weight and compare mean F1 averaged over the tasks.

    Returns:
        Per weight the report's scores, and the difference of the last weight to the first: for each seed,
        and on how many of the (task, seed) pairs it is positive.
    """
    runs: dict[float, Any] = {}
    for weight in weights:
        request = EvaluationRequest(
            data,
            "cdmer1",
            "madtn",
            settings={"size": size, "epochs": epochs, "mmd_weight": weight},
            seeds=tuple(seeds),
            partial=True,
        )
        folder = out / f"lambda-{weight:g}"
        try:
            runs[weight] = evaluate(request, out=folder, resume=True, executor=executor, progress=progress)
        except StoreError:  # folds of other settings
            runs[weight] = evaluate(request, out=folder, executor=executor, progress=progress)
    first, last = (runs[w]["scores"] for w in (weights[0], weights[-1]))

    def gap(task: str, seed: int) -> float:
        return float(last[task]["seeds"][str(seed)]["uf1"] - first[task]["seeds"][str(seed)]["uf1"])

    by_seed = [gap("full", seed) for seed in seeds]
    pairs = [gap(task, seed) for task in first if task != "full" for seed in seeds]
    return {
        "scores": {f"{weight:g}": run["scores"] for weight, run in runs.items()},
        "counts": runs[weights[0]]["counts"],
        "config": runs[weights[-1]]["config"],
        "seeds": list(seeds),
        "weights": list(weights),
        "gain_mean_f1": float(np.mean(by_seed)),
        "gain_by_seed": by_seed,
        "gain_by_task": {t: float(np.mean([gap(t, s) for s in seeds])) for t in first if t != "full"},
        "pairs_better": sum(g > 0 for g in pairs),
        "pairs_worse": sum(g < 0 for g in pairs),
        "pairs": len(pairs),
    }

"""Many clips or videos from a folder of faces into a folder of files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mer_live.engines.files import whole, write_json
from mer_live.realtime.types import CLASSES
from mer_live.training.synthesis.camera import draw_light, draw_sensor
from mer_live.training.synthesis.clips import render_clip
from mer_live.training.synthesis.faces.face_model import CROP, FacePhoto, list_subjects, load_photo, split_of
from mer_live.training.synthesis.sequence import Stage, film_frames, perform, stage_margin
from mer_live.training.synthesis.video import write_truth, write_video


@dataclass(frozen=True, slots=True)
class Request:
    """What to make."""

    faces: Path
    out: Path
    count: int
    fps: float | None
    """None: drawn per clip; 200 for videos."""
    seed: int
    split: str = "all"
    video: bool = False
    seconds: float = 10.0
    size: tuple[int, int] = (640, 480)
    crf: int = 18


def subjects(folder: Path, split: str) -> list[str]:
    """The people of a folder that belong to a split."""
    if split not in {"train", "val", "test", "all"}:
        raise ValueError(f"split must be train, val, test or all, got {split!r}")
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; give one of NAME_neutral.jpg photographs")
    found = [s for s in list_subjects(folder) if split == "all" or split_of(s) == split]
    if not found:
        raise ValueError(f"none of the people in {folder} belongs to the {split} split; add photographs")
    return found


def run(request: Request) -> Iterator[Path]:
    """Make them one by one and give each file's path; people take turns, classes too.

    A clip is an .npz (gray (T, 224, 224) uint8, t_ns, flow (224, 224, 2) f32) with a .json of its truth, a
    video an .mp4 with one. Raises ValueError with one sentence for anything that cannot be used.
    """
    if request.fps is not None and not 1 <= request.fps <= 1000:
        raise ValueError(f"--fps must lie within 1..1000, got {request.fps:g}")
    people = subjects(request.faces, request.split)
    request.out.mkdir(parents=True, exist_ok=True)
    photos: dict[str, FacePhoto] = {}
    for index in range(request.count):
        rng = np.random.default_rng([request.seed, index])
        subject = (
            people[(index * 7 + request.seed) % len(people)]
            if len(people) % 7
            else people[index % len(people)]
        )
        if subject not in photos:
            photos[subject] = load_photo(request.faces, subject)
        if request.video:
            yield _video(request, photos[subject], index, rng)
        else:
            # Everybody shows every class in turn.
            label = CLASSES[(index % len(people) + index // len(people)) % len(CLASSES)]
            yield _clip(request, photos[subject], index, label, rng)


def _clip(request: Request, photo: FacePhoto, index: int, label: str, rng: np.random.Generator) -> Path:
    made = render_clip(photo, rng, label=label, fps=request.fps, with_flow=True)
    path = request.out / f"clip_{index:05d}.npz"
    with whole(path) as partial, partial.open("wb") as handle:
        np.savez_compressed(handle, gray=made.clip.gray, t_ns=made.clip.t_ns, flow=np.asarray(made.flow))
    truth = made.truth.to_json() | {"fps": made.fps, "subject": made.subject, "seed": [request.seed, index]}
    truth["distractors"] = [
        {"kind": d.kind, "start_s": d.pulse.onset_s, "end_s": d.pulse.offset_s} for d in made.distractors
    ]
    write_json(path.with_suffix(".json"), truth)
    return path


def _video(request: Request, photo: FacePhoto, index: int, rng: np.random.Generator) -> Path:
    fps = request.fps or 200.0
    width, height = request.size
    if width % 2 or height % 2 or min(width, height) < 64:
        raise ValueError(f"--size needs even sides of at least 64, got {width}x{height}")
    sensor = draw_sensor(rng, fps)
    stage = Stage(
        request.size,
        face_px=float(rng.uniform(0.4, 0.65)) * height,
        roll_rad=float(rng.normal(0, 0.04)),
        light=draw_light(rng),
        sensor=sensor,
    )
    density = float(np.clip(2 * stage.face_px / CROP, 1.0, 2.6))
    show = perform(
        photo, rng, duration_s=request.seconds, density=density, colour=True, margin=stage_margin(stage)
    )
    path = request.out / f"video_{index:05d}.mp4"
    write_video(path, (frame for frame, _ in film_frames(show, stage, fps, rng)), fps, crf=request.crf)
    write_truth(path.with_suffix(".json"), show.truth(fps, request.size, request.seed))
    return path

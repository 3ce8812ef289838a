"""Training clips of the shipped bundles: rendered, cut as the spotter cuts, kept as representations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.files import whole, write_atomically
from mer_live.engines.representation.adm import adm_rows
from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.head import steadied
from mer_live.engines.representation.represent import mirror_clip, represent
from mer_live.engines.representation.specs import (
    AdmSpec,
    ApexSpec,
    Flow3Spec,
    FlowConfig,
    FramesSpec,
    MotionSpec,
    RepresentationSpec,
)
from mer_live.realtime.types import CLASSES
from mer_live.training.learning.data import Labelled, Rows
from mer_live.training.prepared.arrays import resize_rows
from mer_live.training.synthesis.batch import subjects
from mer_live.training.synthesis.clips import SynthClip, render_clip
from mer_live.training.synthesis.faces.face_model import FacePhoto, has_smile, load_photo
from mer_live.training.synthesis.prepared_set import DATASET

# MADTN's own flow. DIS at 112 px works on a picture of 28, in which half of the movements are below a tenth of a pixel.
FLOW = FlowConfig(method="farneback")
MOTION = MotionSpec(flow=FLOW, steady=True)
# The strongest movement rendered, 4 px of the crop, is 2 px at 112.
FLOW3 = Flow3Spec(flow=FLOW, size=56, max_px=2.5, max_strain=0.2, steady=True)
# The live path pays this flow on every frame: the fastest preset.
ADM = AdmSpec()
# What a CUDA device computes in its place, where the card permits it.
DEVICE_ADM = AdmSpec(flow=FLOW)
# A provisional decision shows no fall, so that frames beyond the apex would differ between it and a final one.
FRAMES = FramesSpec(steps=8, size=112, end="apex", steady=True)
_KEPT = replace(FRAMES, steady=False)
VERSION = 6
"""Changes whenever the same request would give other clips."""


@dataclass(frozen=True, slots=True)
class ZooClips:
    """Two samples of each clip, a provisional and a final one, as stored arrays."""

    key_frames: NDArray[np.uint8]
    """(N, 3, 224, 224): onset, apex, offset; provisional: the apex once more."""
    frames: NDArray[np.uint8]
    """(N, 8, 112, 112): spread over onset..apex, not steadied."""
    adm: NDArray[np.float32]
    """(N, 64, 128)"""
    label: NDArray[np.int64]
    subject: NDArray[np.str_]
    intensity_px: NDArray[np.float32]
    fps: NDArray[np.float32]
    final: NDArray[np.bool_]
    adm_spec: AdmSpec = ADM
    """Of ``adm``."""

    def inputs(self, specs: Mapping[str, RepresentationSpec]) -> dict[str, NDArray[Any]]:
        """Input name -> (N, ...) rows as stored, each as `represent` gives it of its clip.

        Raises ValueError for a representation that these clips were not rendered for.
        """
        return {name: self._rows(spec) for name, spec in specs.items()}

    def _rows(self, spec: RepresentationSpec) -> NDArray[Any]:
        if isinstance(spec, MotionSpec | Flow3Spec):
            return self._flows(spec, mirrored=False)
        if isinstance(spec, ApexSpec):
            return resize_rows(self.key_frames[:, 1], spec.shape)
        if isinstance(spec, FramesSpec) and replace(spec, steady=True) == FRAMES:
            return np.stack([steadied(frames) for frames in self.frames]) if spec.steady else self.frames
        if spec == self.adm_spec:
            return self.adm
        raise ValueError(f"the clips hold no {spec}")

    def labelled(self, specs: Mapping[str, RepresentationSpec]) -> Labelled:
        """All samples with their labels; a motion image's copy is of the mirrored clip.

        A mirrored motion image is not the flipped image, so it is made here and not while training.
        """
        rows = np.arange(len(self.label))
        copies = {
            name: (self._flows(spec, mirrored=True), rows)
            for name, spec in specs.items()
            if isinstance(spec, MotionSpec)
        }
        people = np.array([f"{DATASET}/{name}" for name in self.subject])
        return Labelled(self.inputs(specs), self.label, people, copies)

    def _flows(self, spec: MotionSpec | Flow3Spec, *, mirrored: bool) -> NDArray[np.uint8]:
        flow = make_flow(spec.flow)
        images = np.empty((len(self.key_frames), *spec.shape), np.uint8)
        for k, (three, final) in enumerate(zip(self.key_frames, self.final, strict=True)):
            clip = Clip(three, np.arange(3), 0, 1, 2 if final else None)
            images[k] = represent(mirror_clip(clip) if mirrored else clip, spec, flow)
        return images


def cut_like_a_spotter(made: SynthClip, rng: np.random.Generator, *, final: bool) -> Clip:
    """The clip from a late, jittered onset to the newest frame that the live path would have had.

    The spotter sees an onset when the movement leaves the noise, an apex some milliseconds after it, an
    offset about when the face is at rest; a provisional clip ends 10 to 60 ms after the apex it names.
    """
    clip, fps = made.clip, made.fps
    assert clip.adm is not None
    span = made.truth.span
    onset_s, apex_s, offset_s = (m.t_ns / 1e9 for m in (span.onset, span.apex, span.end))
    rise = apex_s - onset_s
    onset_s += rng.uniform(-0.03, 0.35 * rise)
    apex_s += rng.normal(0, 0.012)
    offset_s += rng.normal(-0.01, 0.025)
    last = len(clip.gray) - 1
    onset = int(np.clip(round(onset_s * fps), 0, last - 1))
    apex = int(np.clip(round(apex_s * fps), onset + 1, last))
    if final:
        offset = int(np.clip(round(offset_s * fps), apex, last))
        newest = int(np.clip(offset + round(rng.uniform(0.0, 0.05) * fps), offset, last))
    else:
        offset = -1
        newest = int(np.clip(apex + np.ceil(rng.uniform(0.01, 0.06) * fps), apex, last))
    adm = clip.adm[onset : newest + 1].copy()
    adm[0] = 0
    return Clip(
        clip.gray[onset : newest + 1],
        clip.t_ns[onset : newest + 1],
        0,
        apex - onset,
        offset - onset if final else None,
        adm,
    )


def _sample(
    photo: FacePhoto, label: str, index: int, fps: float | None, rows_of: AdmSpec, rng: np.random.Generator
) -> list[dict[str, object]]:
    # Heads are held still or sway by several px while the face moves; ADM rows are of raw flow.
    sway = float(np.exp(rng.normal(0, 0.8)))
    made = render_clip(photo, rng, label=label, fps=fps, lead_s=(0.04, 0.1), sway=sway)
    adm = adm_rows(made.clip.gray, make_flow(rows_of.flow), rows_of.direction, flow_px=rows_of.flow_px)
    made = replace(made, clip=replace(made.clip, adm=adm))
    rows: list[dict[str, object]] = []
    for final in (False, True):
        clip = cut_like_a_spotter(made, rng, final=final)
        rows.append(
            {
                "key_frames": clip.gray[[0, clip.apex, clip.apex if clip.offset is None else clip.offset]],
                "frames": represent(clip, _KEPT),
                "adm": represent(clip, rows_of),
                "label": made.label,
                "subject": made.subject,
                "intensity_px": np.float32(made.truth.intensity_px),
                "fps": np.float32(made.fps),
                "final": final,
                "clip": index,
            }
        )
    return rows


@dataclass(frozen=True, slots=True)
class _Job:
    """All clips of one person."""

    faces: Path
    person: int
    people: tuple[str, ...]
    count: int
    seed: int
    fps: float | None
    adm: AdmSpec
    out: Path


def _render(job: _Job) -> Path:
    if job.out.exists():
        return job.out
    cv2.setNumThreads(1)
    subject, n = job.people[job.person], len(job.people)
    photos = [load_photo(job.faces, subject)]
    if has_smile(job.faces, subject):
        photos.append(load_photo(job.faces, subject, smiling=True))
    rows: list[dict[str, object]] = []
    for index in range(job.person, job.count, n):
        rng = np.random.default_rng([job.seed, index])
        photo = photos[-1] if rng.random() < 0.3 else photos[0]
        # Everybody shows every class equally often: a face must not tell the class.
        rows += _sample(photo, CLASSES[(index % n + index // n) % len(CLASSES)], index, job.fps, job.adm, rng)
    arrays = {key: np.stack([np.asarray(r[key]) for r in rows]) for key in rows[0]}
    with whole(job.out) as partial, partial.open("wb") as handle:
        np.savez(handle, **arrays)  # type: ignore[arg-type]
    return job.out


def make_clips(
    faces: Path,
    work: Path,
    *,
    split: str,
    count: int,
    seed: int,
    jobs: int = 2,
    fps: float | None = None,
    adm: AdmSpec = ADM,
) -> ZooClips:
    """Render ``count`` clips of a split's people, or read them back if ``work`` holds them already.

    The same arguments give the same arrays, whatever ``jobs`` is. Raises ValueError as
    `mer_live.training.synthesis.batch.subjects` does.
    """
    people = tuple(subjects(faces, split))
    request = {
        "version": VERSION,
        "split": split,
        "people": people,
        "seed": seed,
        "fps": fps,
        "adm": asdict(adm),
        "frames": {key: value for key, value in asdict(FRAMES).items() if key != "steady"},
    }
    other = "" if adm == ADM else f"-{adm.flow.method}"
    folder = work / f"{split}-{seed}{'' if fps is None else f'-{fps:g}fps'}{other}"
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "request.json"
    text = json.dumps(request, indent=1, sort_keys=True)
    if note.exists() and note.read_text(encoding="utf-8") != text:
        raise ValueError(
            f"{folder} holds clips made by another recipe; remove it or name another --work folder"
        )
    if not note.exists():  # written once and whole: several processes read it
        write_atomically(note, text.encode())
    todo = [
        _Job(faces, k, people, count, seed, fps, adm, folder / f"{subject}-{count}.npz")
        for k, subject in enumerate(people)
        if k < count
    ]
    if jobs > 1 and any(not job.out.exists() for job in todo):
        # Fresh processes: threads of OpenCV and mediapipe do not survive a fork.
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            paths = list(pool.map(_render, todo))
    else:
        paths = [_render(job) for job in todo]
    parts = [dict(np.load(p)) for p in paths]
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return ZooClips(
        joined["key_frames"],
        joined["frames"],
        joined["adm"],
        joined["label"].astype(np.int64),
        joined["subject"].astype(np.str_),
        joined["intensity_px"],
        joined["fps"],
        joined["final"],
        adm,
    )


def take(clips: ZooClips, rows: Rows) -> ZooClips:
    """The given samples."""
    held = {name: getattr(clips, name) for name in ZooClips.__slots__}
    taken: dict[str, Any] = {name: v[rows] for name, v in held.items() if isinstance(v, np.ndarray)}
    return replace(clips, **taken)

"""Rendered people as a prepared set: micro- or macro-expressions, ready for ``mer-train evaluate``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.files import write_json
from mer_live.engines.representation.represent import represent
from mer_live.engines.representation.specs import ApexSpec, RepresentationSpec, spec_to_json
from mer_live.realtime.types import CLASSES
from mer_live.training.prepared.index import save_array, write_index
from mer_live.training.synthesis.batch import subjects
from mer_live.training.synthesis.clips import render_clip
from mer_live.training.synthesis.faces.face_model import load_photo, split_of
from mer_live.training.synthesis.stills import render_still

DATASET = "synth"
"""One name for both kinds: they show the same people, so subjects are told apart in one namespace."""
VERSION = 4
"""Changes whenever the same request would give other clips."""


@dataclass(frozen=True, slots=True)
class SynthSet:
    """What to render; the same request gives the same bytes, whatever the number of processes."""

    faces: Path
    split: Literal["train", "val", "test", "all"] = "all"
    kind: Literal["micro", "macro"] = "micro"
    clips: int = 480
    """People take turns, and everybody shows every class in turn."""
    representations: tuple[tuple[str, RepresentationSpec], ...] = ()
    """(array name, what it is)"""
    fps: float | None = None
    """None: drawn per clip from 25..200, macro 30 (CK+ and most macro sets are filmed at 25 to 30)."""
    seed: int = 0


Row = tuple[dict[str, object], list[NDArray[Any]]]


def render_set(
    request: SynthSet, out: Path, jobs: int = 1, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Write the prepared set ``out``; one that was made by the same request is kept.

    Raises:
        ValueError: No representation, no photographs of the split, or ``out`` holds another set.
    """
    people = subjects(request.faces, request.split)
    if not request.representations:
        raise ValueError("no representation is asked for: name one or more, such as apex,frames")
    described = {
        "synthetic": {
            "kind": request.kind, "split": request.split, "people": people, "clips": request.clips,
            "fps": request.fps, "seed": request.seed, "version": VERSION,
        },
        "representations": {name: spec_to_json(spec) for name, spec in request.representations},
    }  # fmt: skip
    note = out / "prepare.json"
    if note.is_file():
        if json.loads(note.read_text(encoding="utf-8")) == described:
            return out
        raise ValueError(f"{out} holds a set made by another request; remove it or name another folder")
    turns = [tuple(range(k, request.clips, len(people))) for k in range(len(people))]
    todo = [(request, person, turn) for person, turn in zip(people, turns, strict=True) if turn]
    made: dict[int, Row] = {}
    with _mapping(jobs) as run:
        for rows in run(_render, todo):
            made |= rows
            if progress is not None:
                progress(len(made), request.clips)
    ordered = [made[index] for index in range(request.clips)]
    for k, (name, _) in enumerate(request.representations):
        save_array(out / f"{name}.npy", np.stack([arrays[k] for _, arrays in ordered]))
    write_index(out, [row for row, _ in ordered], ("intensity_px", "action_units", "split"))
    write_json(note, described)
    return out


@contextmanager
def _mapping(jobs: int) -> Iterator[Callable[..., Iterable[dict[int, Row]]]]:
    if jobs == 1:
        yield map
    else:
        # Fresh processes: threads of OpenCV and mediapipe do not survive a fork.
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            yield pool.map


def _render(job: tuple[SynthSet, str, tuple[int, ...]]) -> dict[int, Row]:
    request, person, turn = job
    cv2.setNumThreads(1)
    macro = request.kind == "macro"
    # Of an apex frame alone nothing but that frame is rendered.
    stills = all(isinstance(spec, ApexSpec) for _, spec in request.representations)
    photo = load_photo(request.faces, person)
    made: dict[int, Row] = {}
    for k, index in enumerate(turn):
        rng = np.random.default_rng([request.seed, int(macro), index])
        # Everybody shows every class, whatever the number of people: a face must not tell the class.
        label = CLASSES[(turn[0] + k) % len(CLASSES)]
        if stills:
            shown = render_still(photo, rng, label=label, macro=macro)
        else:
            sway = float(np.exp(rng.normal(0, 0.8)))
            fps = request.fps or (30.0 if macro else None)
            shown = render_clip(photo, rng, label=label, fps=fps, lead_s=(0.04, 0.1), sway=sway, macro=macro)
        clip = shown.clip
        row: dict[str, object] = {
            "key": f"{DATASET}/{person}/{request.kind}-{k:03d}", "dataset": DATASET, "subject": person,
            "label": label, "fps": shown.fps, "onset": clip.onset, "apex": clip.apex, "offset": clip.offset,
            "intensity_px": round(shown.truth.intensity_px, 3), "action_units": _units(shown.truth.action),
            "split": split_of(person),
        }  # fmt: skip
        made[index] = row, [represent(clip, spec) for _, spec in request.representations]
    return made


def _units(action: str) -> str:
    """``negative:AU4+LAU12`` as a sheet writes it: ``4+L12``."""
    return action.partition(":")[2].replace("AU", "")

"""Short takes of rendered people, filmed once: every clip and every recording of the trees is made of them.

A take begins and ends with the same face at rest and the head held still, so that takes of one person stand behind one
another without a seam.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from mer_live.realtime.types import CLASSES
from mer_live.training.synthesis.batch import subjects
from mer_live.training.synthesis.clips import normalise
from mer_live.training.synthesis.faces.actions import draw_action
from mer_live.training.synthesis.faces.face_model import build_model, load_photo
from mer_live.training.synthesis.render import FaceRenderer
from mer_live.training.synthesis.script import Script, draw_sway
from mer_live.training.synthesis.sequence import Performance, Stage, film_frames, stage_margin
from mer_live.training.synthesis.timeline import Pulse, ScriptedEvent

Kind = Literal["micro", "macro"]
FPS, FAST_FPS = 30, 200
"""Rates at which takes are filmed; the second for SAMM Long Videos alone."""
_STAGE = Stage((240, 240), face_px=150.0)
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 92]
_SEED = 18


@dataclass(frozen=True, slots=True)
class Course:
    """When a take's movement begins, is strongest and ends; seconds from its first frame, and its strength."""

    pulse: Pulse
    seconds: float
    intensity_px: float

    def frames(self, fps: int) -> tuple[int, int, int, int]:
        """Positions of onset, apex and offset, and how many frames there are."""
        span = self.pulse.span(fps, round(self.seconds * fps))
        return span.onset.frame, span.apex.frame, span.end.frame, round(self.seconds * fps)


COURSES: dict[Kind, Course] = {
    "micro": Course(Pulse(0.6, 0.77, 0.77, 1.04), 1.44, 3.0),
    "macro": Course(Pulse(0.4, 0.75, 0.9, 1.3), 1.65, 8.0),
}


@dataclass(frozen=True, slots=True)
class Shot:
    """One movement of one person on disk."""

    folder: Path
    kind: Kind
    fps: int = FPS

    @property
    def spots(self) -> tuple[int, int, int, int]:
        """Positions of onset, apex and offset, and how many frames there are."""
        return COURSES[self.kind].frames(self.fps)

    def lay(self, folder: Path, pattern: str, first: int, positions: range) -> None:
        """Link these pictures into ``folder``, numbered from ``first``; nothing is copied."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, position in enumerate(positions, first):
            os.link(self.folder / f"{position}.jpg", folder / pattern.format(number))


class ShotBank:
    """The takes of every person of a folder of photographs, filmed where they are not there yet."""

    def __init__(
        self, folder: Path, faces: Path, people: int | None, progress: Callable[[str], None] | None = None
    ) -> None:
        """Film what is missing: three micro- and three macro-expressions a person, two more of every fourth at 200 fps.

        Raises:
            ValueError: No photographs.
        """
        self._folder = folder
        self.people = subjects(faces, "all")[:people]
        for k, person in enumerate(self.people):
            if not (folder / person).is_dir():
                _film(faces, person, folder, fast=k % 4 == 0)
                if progress is not None:
                    progress(f"[{k + 1}/{len(self.people)}] {person} filmed")

    def take(self, person: int, kind: Kind, label: int) -> Shot:
        """A take of the nth person, who comes again where there are more of them in a database than photographs."""
        who = self.people[person % len(self.people)]
        return Shot(self._folder / who / f"{kind}-{CLASSES[label]}", kind)

    def fast(self, person: int, kind: Kind) -> Shot:
        """The same at 200 fps."""
        who = self.people[::4][person % len(self.people[::4])]
        return Shot(self._folder / who / f"{kind}-fast", kind, FAST_FPS)


def _film(faces: Path, person: str, folder: Path, fast: bool) -> None:
    rng = np.random.default_rng([_SEED, *person.encode()])
    model = build_model(load_photo(faces, person), density=1.4, colour=True, margin=stage_margin(_STAGE))
    actions = [draw_action(model, label, rng) for label in CLASSES]
    renderer = FaceRenderer(model, actions)
    partial = folder / f".{person}"
    shutil.rmtree(partial, ignore_errors=True)
    for kind, course in COURSES.items():
        wanted: Sequence[tuple[str, int, int]] = [(name, k, FPS) for k, name in enumerate(CLASSES)]
        if fast:
            wanted = [*wanted, ("fast", 1, FAST_FPS)]
        for name, action, fps in wanted:
            event = ScriptedEvent(CLASSES[action], action, course.intensity_px, course.pulse)
            script = Script(course.seconds, (event,), (), draw_sway(rng, 0.0), len(actions))
            show = Performance(renderer, normalise(renderer, script), ())
            home = partial / f"{kind}-{name}"
            home.mkdir(parents=True)
            for k, (image, _) in enumerate(film_frames(show, _STAGE, float(fps), rng)):
                cv2.imwrite(str(home / f"{k}.jpg"), image, _JPEG)
    partial.rename(folder / person)

"""Long performances with many events and distractors: as gray crops or as whole frames, with truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.types import CLASSES
from mer_live.training.synthesis.camera import Camera, Light, Sensor
from mer_live.training.synthesis.clips import Take, Truth, draw_take, film_crops, normalise
from mer_live.training.synthesis.faces.actions import Action, draw_action
from mer_live.training.synthesis.faces.face_model import CROP, FacePhoto, apply, build_model
from mer_live.training.synthesis.render import FaceRenderer
from mer_live.training.synthesis.script import Script, draw_sway
from mer_live.training.synthesis.timeline import (
    DistractorKind,
    ScriptedDistractor,
    ScriptedEvent,
    draw_distractor,
    draw_pulse,
)


@dataclass(frozen=True, slots=True)
class SequenceTruth:
    """What happens in a sequence; the JSON beside a video is this."""

    fps: float
    size: tuple[int, int]
    """(width, height)."""
    frames: int
    events: tuple[Truth, ...]
    distractors: tuple[tuple[str, float, float], ...]
    """(kind, start s, end s)."""
    subject: str
    seed: int

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary: fps, size, frames, events, distractors, subject, seed."""
        return {
            "fps": self.fps,
            "size": list(self.size),
            "frames": self.frames,
            "events": [event.to_json() for event in self.events],
            "distractors": [
                {"kind": kind, "start_s": round(a, 6), "end_s": round(b, 6)}
                for kind, a, b in self.distractors
            ],
            "subject": self.subject,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """How busy a sequence is: mean pauses between one happening's end and the next one's start, seconds."""

    event_every_s: float = 2.0
    blink_every_s: float = 3.0
    other_every_s: float = 5.0
    """Speech, gaze shifts, head shakes and macro-expressions together."""
    others: tuple[DistractorKind, ...] = ("speech", "gaze", "shake", "macro")
    intensity_px: tuple[float, float] = (0.5, 4.0)
    """Range, log-uniform."""
    sway: float = 1.0
    slow_fades: float = 0.0
    """Share of micro-expressions that fade as slowly as those of CAS(ME)^3."""
    apart_s: float = 0.25
    """Rest kept between an event and any other happening but a gaze shift; 0 lets them overlap freely."""


@dataclass(frozen=True, slots=True)
class Performance:
    """A script bound to a person's renderer."""

    renderer: FaceRenderer
    script: Script
    events: tuple[tuple[ScriptedEvent, float, str], ...]
    """(event, intensity in px, action units) in order of time."""

    def truth(self, fps: float, size: tuple[int, int], seed: int) -> SequenceTruth:
        """Truth for a frame rate and size."""
        frames = round(self.script.duration_s * fps)
        return SequenceTruth(
            fps,
            size,
            frames,
            tuple(Truth(e.label, e.pulse.span(fps, frames), px, name) for e, px, name in self.events),
            tuple((d.kind, d.pulse.onset_s, d.pulse.offset_s) for d in self.script.distractors),
            self.renderer.model.subject,
            seed,
        )


def _clear(start: float, end: float, taken: Sequence[tuple[float, float]], gap: float) -> bool:
    return all(end + gap <= a or start - gap >= b for a, b in taken)


def perform(
    photo: FacePhoto,
    rng: np.random.Generator,
    *,
    duration_s: float,
    plan: Plan | None = None,
    labels: Sequence[str] = CLASSES,
    density: float = 2.0,
    colour: bool = False,
    margin: tuple[float, float, float, float] = (28, 28, 28, 28),
) -> Performance:
    """Write a random script for one person; every event has its own action, classes take random turns."""
    how = plan or Plan()
    model = build_model(photo, density=density, colour=colour, margin=margin)
    events: list[ScriptedEvent] = []
    actions: list[Action] = []
    spans: list[tuple[float, float]] = []
    t = float(rng.uniform(0.6, 1.2))
    order: list[str] = []
    while how.event_every_s > 0:
        pulse = draw_pulse(rng, t, slow_fades=how.slow_fades)
        if pulse.offset_s > duration_s - 0.4:
            break
        if not order:
            order = [str(c) for c in rng.permutation(list(labels))]
        label = order.pop()
        low, high = np.log(how.intensity_px)
        events.append(ScriptedEvent(label, len(actions), float(np.exp(rng.uniform(low, high))), pulse))
        actions.append(draw_action(model, label, rng))
        spans.append((pulse.onset_s, pulse.offset_s))
        t = pulse.offset_s + 0.5 + float(rng.exponential(how.event_every_s))
    macros = [str(c) for c in rng.permutation(list(CLASSES))]
    first_macro = len(actions)
    actions += [draw_action(model, c, rng) for c in macros]
    distractors: list[ScriptedDistractor] = []
    for every, kinds in ((how.blink_every_s, ("blink",)), (how.other_every_s, how.others)):
        t = float(rng.uniform(0, max(every, 0.1)))
        while every > 0 and kinds and t < duration_s:
            kind: DistractorKind = kinds[int(rng.integers(len(kinds)))]  # type: ignore[assignment]
            d = draw_distractor(rng, kind, t, len(macros))
            if kind == "macro":
                d = ScriptedDistractor(
                    kind, d.pulse, d.size, action=first_macro + d.action, label=macros[d.action]
                )
            free = kind == "gaze" or how.apart_s <= 0
            busy = [(x.pulse.onset_s, x.pulse.offset_s) for x in distractors if x.kind == kind]
            if (free or _clear(t, d.pulse.offset_s, spans, how.apart_s)) and _clear(
                t, d.pulse.offset_s, busy, 0.1
            ):
                distractors.append(d)
            t += 0.3 + float(rng.exponential(every))
    distractors.sort(key=lambda d: d.pulse.onset_s)
    renderer = FaceRenderer(model, actions, shading=float(rng.uniform(0.1, 0.6)))
    raw = Script(duration_s, tuple(events), tuple(distractors), draw_sway(rng, how.sway), len(actions))
    script = normalise(renderer, raw)
    named = tuple(
        (done, wanted.intensity_px, actions[wanted.action].name)
        for done, wanted in zip(script.events, events, strict=True)
    )
    return Performance(renderer, script, named)


def render_crops(
    photo: FacePhoto,
    rng: np.random.Generator,
    *,
    duration_s: float,
    fps: float | None = None,
    plan: Plan | None = None,
    take: Take | None = None,
    seed: int = 0,
) -> tuple[Iterator[tuple[NDArray[np.uint8], int]], SequenceTruth, NDArray[np.float32]]:
    """The quick way to long sequences: (gray crop (224, 224), t_ns) pairs, truth, landmarks in the crop.

    The crop is anchored once, at the first frame. ``seed`` is only noted in the truth.
    """
    shot = take or draw_take(rng, fps)
    density = float(np.clip(1.6 * shot.face_px / CROP, 1.2, 2.0))
    show = perform(photo, rng, duration_s=duration_s, plan=plan, density=density)
    frames = film_crops(show.renderer, show.script, shot, rng)
    return frames, show.truth(shot.fps, (CROP, CROP), seed), show.renderer.model.landmarks


@dataclass(frozen=True, slots=True)
class Stage:
    """Frame size, where the face is in it, and how it is filmed."""

    size: tuple[int, int] = (640, 480)
    face_px: float = 260.0
    """Side of the crop's square."""
    centre: tuple[float, float] = (0.5, 0.5)
    """Of the crop's square, relative to the frame."""
    roll_rad: float = 0.0
    light: Light = field(default_factory=Light)
    sensor: Sensor = field(default_factory=lambda: Sensor(0.3, 0.5, 0.8))


def stage_margin(stage: Stage) -> tuple[float, float, float, float]:
    """Crop px of scene around the crop (left, top, right, bottom) that fill the stage's frame."""
    w, h = (s / stage.face_px * CROP for s in stage.size)
    left, top = stage.centre[0] * w - CROP / 2, stage.centre[1] * h - CROP / 2
    extra = 10 + abs(stage.roll_rad) * max(w, h)
    parts = (left, top, w - CROP - left, h - CROP - top)
    return (
        max(parts[0] + extra, 0),
        max(parts[1] + extra, 0),
        max(parts[2] + extra, 0),
        max(parts[3] + extra, 0),
    )


def film_frames(
    show: Performance, stage: Stage, fps: float, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Whole BGR frames (H, W, 3) and the true landmarks (478, 2) in frame px, head motion included.

    The performance must have been written with ``colour=True`` and ``margin=stage_margin(stage)``. The
    landmarks are those of the neutral face carried by the head; they do not follow the expression.
    """
    q = stage.face_px / CROP
    c, s = q * np.cos(stage.roll_rad), q * np.sin(stage.roll_rad)
    linear = np.array([[c, -s], [s, c]])
    middle = np.array([CROP / 2 - 0.5, CROP / 2 - 0.5])
    target = np.array([stage.centre[0] * stage.size[0], stage.centre[1] * stage.size[1]]) - 0.5
    placement = np.hstack([linear, (target - linear @ middle)[:, None]])
    model = show.renderer.model
    camera = Camera(model, stage.size, placement, stage.light, stage.sensor, rng)
    buffer = np.empty_like(model.texture)
    for index in range(round(show.script.duration_s * fps)):
        t_s = index / fps
        head = show.script.head(t_s)
        frame = camera.film(show.renderer.render(show.script.face(t_s), buffer), head, t_s)
        yield frame, apply(camera.matrix(head), model.landmarks)

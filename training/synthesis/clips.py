"""Training clips: one event as gray crops, cut as the live path cuts them, with exact truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.clip import Clip
from mer_live.realtime.face.crop import crop_warp
from mer_live.realtime.types import CLASSES, Span
from mer_live.training.synthesis.camera import Camera, Light, Sensor, draw_light, draw_sensor
from mer_live.training.synthesis.faces.actions import Action, draw_action
from mer_live.training.synthesis.faces.face_model import CROP, FacePhoto, apply, build_model
from mer_live.training.synthesis.render import FaceRenderer, FaceState
from mer_live.training.synthesis.script import Script, draw_sway
from mer_live.training.synthesis.timeline import (
    ScriptedDistractor,
    ScriptedEvent,
    draw_distractor,
    draw_eye_movement,
    draw_macro_pulse,
    draw_pulse,
)


@dataclass(frozen=True, slots=True)
class Truth:
    """A micro-expression that is really there."""

    label: str
    span: Span
    """As `Pulse.span` counts frames; times count from the first frame, and the offset is always known."""
    intensity_px: float
    """Largest displacement at the apex, px of the 224 px crop."""
    action: str = ""
    """Which action units, where they were rendered."""
    part: str = ""
    """Of the face: 'upper', 'lower' or 'both', where it is known."""
    speaking: bool | None = None
    """Whether the face spoke meanwhile, where that is known."""

    def to_json(self) -> dict[str, Any]:
        """What the file beside a rendered clip says of it."""
        said = {"intensity_px": self.intensity_px, "action": self.action}
        return {"label": self.label, **self.span.to_json(), **said}


@dataclass(frozen=True, slots=True)
class Take:
    """How a clip is filmed: everything about it that is not the face."""

    fps: float
    face_px: float
    """Side of the crop's square in camera px."""
    light: Light
    sensor: Sensor
    roll_rad: float
    jitter: NDArray[np.float64]
    """(4,) error of the landmarks that anchored the crop: x, y crop px, roll rad, log scale."""


def draw_take(rng: np.random.Generator, fps: float | None = None) -> Take:
    """Random camera, light and distance."""
    rate = float(rng.choice([25, 30, 60, 100, 120, 200])) if fps is None else fps
    return Take(
        rate,
        float(rng.uniform(130, 360)),
        draw_light(rng),
        draw_sensor(rng, rate),
        float(rng.normal(0, 0.05)),
        rng.normal(0, 1, 4) * [1.5, 1.5, 0.015, 0.02],
    )


@dataclass(frozen=True, slots=True)
class SynthClip:
    """A rendered clip and its truth."""

    clip: Clip
    """onset, apex and offset are the true ones."""
    label: int
    """Index into CLASSES."""
    subject: str
    truth: Truth
    distractors: tuple[ScriptedDistractor, ...]
    fps: float
    flow: NDArray[np.float32] | None
    """(224, 224, 2) exact displacement neutral -> apex, px, in the unjittered crop; None unless asked for."""


def normalise(renderer: FaceRenderer, script: Script) -> Script:
    """Set every event's strength so that its exact largest displacement is its intensity_px."""
    events = []
    for event in script.events:
        reached = float(np.linalg.norm(renderer.flow(script.active(event), iterations=3), axis=-1).max())
        factor = event.intensity_px / max(reached, 1e-6)
        events.append(ScriptedEvent(event.label, event.action, event.intensity_px * factor, event.pulse))
    return Script(script.duration_s, tuple(events), script.distractors, script.sway, script.actions)


def film_crops(
    renderer: FaceRenderer, script: Script, take: Take, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Gray crops (224, 224) and times in ns of a whole script; the crop is anchored at the first frame."""
    q = take.face_px / CROP
    model = renderer.model
    pad = 14.0
    side = round((CROP + 2 * pad) * q)
    c, s = q * np.cos(take.roll_rad), q * np.sin(take.roll_rad)
    linear = np.array([[c, -s], [s, c]])
    middle = np.array([CROP / 2 - 0.5, CROP / 2 - 0.5])
    placement = np.hstack([linear, (np.array([side / 2 - 0.5] * 2) - linear @ middle)[:, None]])
    camera = Camera(model, (side, side), placement, take.light, take.sensor, rng)
    x, y, roll, log_scale = take.jitter
    jitter = np.array([[1 + log_scale, -roll, x], [roll, 1 + log_scale, y]])
    jitter[:, 2] += middle - jitter[:, :2] @ middle
    seen = apply(camera.matrix(script.head(0.0)), apply(jitter, model.landmarks))
    warp = crop_warp(seen, CROP)
    buffer = np.empty_like(model.texture)
    for index in range(round(script.duration_s * take.fps)):
        t_s = index / take.fps
        frame = camera.film(renderer.render(script.face(t_s), buffer), script.head(t_s), t_s)
        yield (
            np.asarray(
                cv2.warpAffine(
                    frame, warp, (CROP, CROP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
                ),
                np.uint8,
            ),
            round(t_s * 1e9),
        )


def draw_intensity(rng: np.random.Generator, macro: bool = False) -> float:
    """Largest displacement of an expression, log-uniform in 0.5..4 px, of a macro-expression 4..12."""
    low, high = (4.0, 12.0) if macro else (0.5, 4.0)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def render_clip(
    photo: FacePhoto,
    rng: np.random.Generator,
    *,
    label: str | None = None,
    fps: float | None = None,
    intensity_px: float | None = None,
    distractors: float = 0.43,
    lead_s: tuple[float, float] = (0.1, 0.3),
    sway: float = 1.0,
    take: Take | None = None,
    with_flow: bool = False,
    macro: bool = False,
    slow_fades: float = 0.0,
) -> SynthClip:
    """One event of one person, filmed and cropped.

    Args:
        label: class; drawn when None.
        fps: frame rate; drawn from 25..200 when None.
        intensity_px: largest displacement; drawn log-uniformly from 0.5..4 when None, macro 4..12.
        distractors: chance that something else moves during the event: mostly the eyes (blink, gaze shift, lid),
            as in some 40 % of real clips of every class, seldom (1 of 15) the mouth in speech.
        lead_s: range of the rest kept before the onset and after the offset, seconds.
        sway: size of the slow head motion, 0 holds the head still.
        take: camera and light; drawn when None (and then ``fps`` holds).
        with_flow: also give the exact dense flow at the apex.
        macro: a macro-expression: longer and larger.
        slow_fades: share of micro-expressions that fade as slowly as those of CAS(ME)^3.
    """
    name = label if label is not None else str(rng.choice(CLASSES))
    size = draw_intensity(rng, macro) if intensity_px is None else intensity_px
    shot = take or draw_take(rng, fps)
    # Time goes with the square of the density; beyond 2 the truth tests see no difference.
    density = float(np.clip(1.6 * shot.face_px / CROP, 1.2, 2.0))
    model = build_model(photo, density=density, margin=(20, 20, 20, 20))
    action = draw_action(model, name, rng)
    start = float(rng.uniform(*lead_s))
    pulse = draw_macro_pulse(rng, start) if macro else draw_pulse(rng, start, slow_fades=slow_fades)
    duration = pulse.offset_s + float(rng.uniform(*lead_s))
    duration = max(np.ceil(duration * shot.fps) + 1, 4) / shot.fps
    event = ScriptedEvent(name, 0, size, pulse)
    extra: list[ScriptedDistractor] = []
    if rng.random() < distractors:
        if rng.random() < 1 / 15:
            extra.append(draw_distractor(rng, "speech", float(rng.uniform(-0.2, duration))))
        else:
            extra.append(draw_eye_movement(rng, pulse))
    script = Script(duration, (event,), tuple(extra), draw_sway(rng, sway), 1)
    renderer = FaceRenderer(model, [action], shading=float(rng.uniform(0.1, 0.6)))
    script = normalise(renderer, script)
    crops = list(film_crops(renderer, script, shot, rng))
    span = pulse.span(shot.fps, len(crops))
    truth = Truth(name, span, size, action.name)
    clip = Clip(
        np.stack([gray for gray, _ in crops]),
        np.array([t for _, t in crops], np.int64),
        span.onset.frame,
        span.apex.frame,
        span.end.frame,
    )
    flow = renderer.flow(script.active(script.events[0])) if with_flow else None
    return SynthClip(clip, CLASSES.index(name), photo.subject, truth, script.distractors, shot.fps, flow)


__all__ = ["Action", "FaceState", "SynthClip", "Take", "Truth", "draw_take", "film_crops", "render_clip"]

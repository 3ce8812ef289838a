"""Training clips: one event as gray crops, cut as the live path cuts them, with exact truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.clip import Clip
from mer_live.realtime.face.crop import crop_warp
from mer_live.realtime.types import CLASSES
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
class EventTruth:
    """What was rendered; frames number the clip or video, seconds count from its first frame."""

    label: str
    onset_s: float
    apex_s: float
    offset_s: float
    onset_frame: int
    """Last frame at rest."""
    apex_frame: int
    """Frame nearest to the apex."""
    offset_frame: int
    """First frame at rest again."""
    intensity_px: float
    """Largest displacement at the apex, px of the 224 px crop."""
    action: str
    """Which action units."""


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
    truth: EventTruth
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


def truth_of(event: ScriptedEvent, intensity_px: float, fps: float, frames: int, action: str) -> EventTruth:
    """Seconds to frames: the last frame before the movement, the nearest to its apex, the first after it."""
    p = event.pulse
    onset = max(int(np.floor(p.onset_s * fps + 1e-9)), 0)
    offset = min(int(np.ceil(p.offset_s * fps - 1e-9)), frames - 1)
    apex = min(max(round(p.apex_s * fps), onset), offset)
    return EventTruth(event.label, p.onset_s, p.apex_s, p.offset_s, onset, apex, offset, intensity_px, action)


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
    truth = truth_of(event, size, shot.fps, len(crops), action.name)
    clip = Clip(
        np.stack([gray for gray, _ in crops]),
        np.array([t for _, t in crops], np.int64),
        truth.onset_frame,
        truth.apex_frame,
        truth.offset_frame,
    )
    flow = renderer.flow(script.active(script.events[0])) if with_flow else None
    return SynthClip(clip, CLASSES.index(name), photo.subject, truth, script.distractors, shot.fps, flow)


__all__ = ["Action", "EventTruth", "FaceState", "SynthClip", "Take", "draw_take", "film_crops", "render_clip"]

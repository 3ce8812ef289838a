"""A clip such as that of ``mer-live --demo``: NASA's public-domain portrait of Eileen Collins, animated.

The clip shipped in ``realtime/demo`` was made before the movements took the shapes measured on real faces.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mer_live.realtime.face.landmarks import detect_landmarks
from mer_live.training.synthesis.camera import Light, Sensor
from mer_live.training.synthesis.clips import normalise
from mer_live.training.synthesis.faces.actions import build_action
from mer_live.training.synthesis.faces.face_model import CROP, FacePhoto, build_model
from mer_live.training.synthesis.render import FaceRenderer
from mer_live.training.synthesis.script import Script, draw_sway
from mer_live.training.synthesis.sequence import Performance, Stage, film_frames, stage_margin
from mer_live.training.synthesis.timeline import Pulse, ScriptedDistractor, ScriptedEvent
from mer_live.training.synthesis.video import write_truth, write_video

FPS = 200.0
DURATION_S = 10.0
SEED = 8
SIZE = (640, 480)
FACE_PX = 270.0
CRF = 17

# (class, action units, intensity px, onset s, rise s, hold s, fall s)
_EVENTS: tuple[tuple[str, dict[int, float], float, float, float, float, float], ...] = (
    ("surprise", {1: 1.0, 2: 1.0, 5: 0.5}, 3.0, 1.30, 0.14, 0.02, 0.20),
    ("positive", {6: 0.6, 12: 1.0}, 3.0, 3.20, 0.16, 0.03, 0.24),
    ("negative", {4: 1.0, 7: 0.4}, 3.0, 5.10, 0.15, 0.02, 0.22),
    ("positive", {12: 1.0}, 2.0, 7.00, 0.12, 0.00, 0.18),
    ("negative", {15: 1.0, 17: 0.5}, 2.5, 8.70, 0.16, 0.02, 0.24),
)
_BLINKS = (2.35, 4.25, 6.15, 7.95)


def portrait() -> FacePhoto:
    """The portrait, four times enlarged so that warps of a twentieth of a pixel stay visible.

    Raises ImportError where scikit-image is missing, ValueError if the face is not found.
    """
    try:
        from skimage.data import astronaut
    except ImportError as error:
        raise ImportError("the demo clip needs scikit-image: pip install 'mer-live[train]'") from error
    image = cv2.cvtColor(np.asarray(astronaut(), np.uint8), cv2.COLOR_RGB2BGR)
    large = np.asarray(cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_LANCZOS4), np.uint8)
    landmarks = detect_landmarks(large)
    if landmarks is None:
        raise ValueError("the portrait's face was not found; the landmark model may be damaged")
    return FacePhoto("astronaut", large, landmarks)


def perform_demo() -> tuple[Performance, Stage]:
    """The demo's script on its stage: every class, four blinks, a gaze shift, a slightly swaying head."""
    stage = Stage(SIZE, FACE_PX, centre=(0.5, 0.47), light=Light(), sensor=Sensor(0.0, 0.25, 0.35))
    rng = np.random.default_rng(SEED)
    model = build_model(portrait(), density=2 * FACE_PX / CROP, colour=True, margin=stage_margin(stage))
    actions = [build_action(model, units, rng, asymmetry=0.08) for _, units, *_ in _EVENTS]
    events = tuple(
        ScriptedEvent(label, k, px, Pulse(on, on + rise, on + rise + hold, on + rise + hold + fall))
        for k, (label, _, px, on, rise, hold, fall) in enumerate(_EVENTS)
    )
    blinks = [ScriptedDistractor("blink", Pulse(t, t + 0.09, t + 0.12, t + 0.29), 1.0) for t in _BLINKS]
    gaze = ScriptedDistractor("gaze", Pulse(6.55, 6.59, 6.83, 6.87), 2.0, angle=0.4)
    raw = Script(DURATION_S, events, (*blinks, gaze), draw_sway(rng, 0.5), len(actions))
    renderer = FaceRenderer(model, actions)
    script = normalise(renderer, raw)
    named = tuple(
        (done, wanted.intensity_px, "+".join(f"AU{n}" for n in sorted(row[1])))
        for done, wanted, row in zip(script.events, events, _EVENTS, strict=True)
    )
    return Performance(renderer, script, named), stage


def make(folder: Path) -> Path:
    """Write ``demo.mp4`` and ``demo.json`` into a folder; gives the video's path."""
    folder.mkdir(parents=True, exist_ok=True)
    show, stage = perform_demo()
    rng = np.random.default_rng(SEED)
    path = folder / "demo.mp4"
    frames = (frame for frame, _ in film_frames(show, stage, FPS, rng))
    write_video(path, frames, FPS, crf=CRF, preset="slow")
    write_truth(folder / "demo.json", show.truth(FPS, SIZE, SEED))
    return path

"""A whole performance: events, distractors and how the head sways, evaluated at any time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mer_live.training.synthesis.render import FaceState
from mer_live.training.synthesis.timeline import ScriptedDistractor, ScriptedEvent


@dataclass(frozen=True, slots=True)
class Sway:
    """Slow involuntary head motion as a sum of sines, crop px, radians and log scale."""

    amplitude: NDArray[np.float64]
    """(4, N) x, y, roll, log scale."""
    hz: NDArray[np.float64]
    phase: NDArray[np.float64]

    def at(self, t_s: float) -> NDArray[np.float64]:
        """(4,) pose relative to that at time 0."""
        wave = np.sin(2 * np.pi * self.hz * t_s + self.phase) - np.sin(self.phase)
        return np.asarray((self.amplitude * wave).sum(1))


def draw_sway(rng: np.random.Generator, size: float = 1.0) -> Sway:
    """Drift of a sitting person: a few px within seconds, a tremor of hundredths of a px; times ``size``."""
    scale = np.array([1.2, 1.0, 0.008, 0.004]) * size * float(rng.uniform(0.2, 1.5))
    hz = np.concatenate([rng.uniform(0.05, 0.35, (4, 2)), rng.uniform(0.6, 1.5, (4, 1))], 1)
    part = np.array([1.0, 0.6, 0.06])
    return Sway(scale[:, None] * part * rng.normal(0, 1, (4, 3)), hz, rng.uniform(0, 2 * np.pi, (4, 3)))


@dataclass(frozen=True, slots=True)
class Script:
    """What a face does, in seconds from the first frame."""

    duration_s: float
    events: tuple[ScriptedEvent, ...]
    distractors: tuple[ScriptedDistractor, ...]
    sway: Sway
    actions: int
    """Number of actions that events and macro-expressions choose from."""

    def face(self, t_s: float) -> FaceState:
        """Expression, lids, gaze and mouth at a time."""
        amounts = [0.0] * self.actions
        for event in self.events:
            amounts[event.action] += event.intensity_px * event.pulse.at(t_s)
        closure = jaw = lips = gx = gy = 0.0
        for d in self.distractors:
            level = d.size * d.pulse.at(t_s)
            if level == 0:
                continue
            if d.kind == "macro":
                amounts[d.action] += level
            elif d.kind == "blink":
                closure = max(closure, level)
            elif d.kind == "speech":
                opened = level * (0.5 + 0.5 * d.wave(t_s))
                jaw += 0.7 * opened
                lips += 0.4 * opened * (0.5 + 0.5 * d.wave(t_s + 0.07))
            elif d.kind == "gaze":
                gx += level * float(np.cos(d.angle))
                gy += 0.6 * level * float(np.sin(d.angle))
        return FaceState(tuple(amounts), closure, (gx, gy), jaw, lips)

    def head(self, t_s: float) -> NDArray[np.float64]:
        """(4,) head pose: x, y crop px, roll rad, log scale, relative to the photograph."""
        pose = self.sway.at(t_s)
        for d in self.distractors:
            if d.kind == "shake":
                level = d.size * d.pulse.at(t_s) * d.wave(t_s)
                pose[0] += level * np.cos(d.angle)
                pose[1] += level * np.sin(d.angle)
                pose[2] += 0.004 * level
        return pose

    def active(self, event: ScriptedEvent) -> FaceState:
        """The event alone at its apex, without any distractor."""
        alone = replace(self, distractors=(), events=(event,))
        return alone.face(event.pulse.apex_s)

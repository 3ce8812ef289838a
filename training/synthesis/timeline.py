"""When things move: raised-cosine expressions, blinks, speech, gaze shifts, head shakes. No pixels here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mer_live.realtime.types import Moment, Span
from mer_live.training.synthesis.faces.facts import draw_duration

DistractorKind = Literal["blink", "speech", "gaze", "shake", "macro"]
DISTRACTORS: tuple[DistractorKind, ...] = ("blink", "speech", "gaze", "shake", "macro")


@dataclass(frozen=True, slots=True)
class Pulse:
    """Rise, hold and fall; seconds on the stream's clock."""

    onset_s: float
    peak_s: float
    """End of the rise."""
    release_s: float
    """Start of the fall."""
    offset_s: float

    @property
    def apex_s(self) -> float:
        """Middle of the hold, the peak itself where there is none."""
        return 0.5 * (self.peak_s + self.release_s)

    def span(self, fps: float, frames: int | None = None) -> Span:
        """Exact times; the last frame before the movement, the nearest to its apex, the first after it.

        ``frames``: how many there are; None: as many as it takes.
        """
        onset = max(int(np.floor(self.onset_s * fps + 1e-9)), 0)
        offset = int(np.ceil(self.offset_s * fps - 1e-9))
        offset = offset if frames is None else min(offset, frames - 1)
        apex = min(max(round(self.apex_s * fps), onset), offset)
        times = (self.onset_s, self.apex_s, self.offset_s)
        return Span(*(Moment(k, round(s * 1e9)) for k, s in zip((onset, apex, offset), times, strict=True)))

    def at(self, t_s: float) -> float:
        """0..1, raised cosines with a flat top."""
        if t_s <= self.onset_s or t_s >= self.offset_s:
            return 0.0
        if t_s < self.peak_s:
            part = (t_s - self.onset_s) / (self.peak_s - self.onset_s)
        elif t_s <= self.release_s:
            return 1.0
        else:
            part = (self.offset_s - t_s) / (self.offset_s - self.release_s)
        return float(0.5 - 0.5 * np.cos(np.pi * part))


@dataclass(frozen=True, slots=True)
class ScriptedEvent:
    """One micro-expression."""

    label: str
    action: int
    """Which of the renderer's actions."""
    intensity_px: float
    """Largest displacement at the apex, crop px."""
    pulse: Pulse


@dataclass(frozen=True, slots=True)
class ScriptedDistractor:
    """One movement that is no micro-expression."""

    kind: DistractorKind
    pulse: Pulse
    """Its envelope."""
    size: float
    """blink: closure 0..1; speech, gaze, macro: crop px; shake: crop px."""
    angle: float = 0.0
    """gaze, shake: direction, radians."""
    hz: tuple[float, ...] = ()
    """speech, shake: frequencies."""
    phase: tuple[float, ...] = ()
    action: int = -1
    """macro: which of the renderer's actions."""
    label: str = ""
    """macro: its class."""

    def wave(self, t_s: float) -> float:
        """Band-limited oscillation in [-1, 1] of speech and shakes."""
        waves = [
            np.sin(2 * np.pi * f * (t_s - self.pulse.onset_s) + p)
            for f, p in zip(self.hz, self.phase, strict=True)
        ]
        return float(np.mean(waves)) if waves else 0.0


def draw_pulse(
    rng: np.random.Generator, onset_s: float, *, longest_s: float = 0.5, slow_fades: float = 0.0
) -> Pulse:
    """A micro-expression's course, rise and fall as published (`facts.draw_duration`), at most ``longest_s``.

    Half of the apexes are held: most of those up to 40 ms, some up to 200 ms; rise and fall count to the
    middle of the hold, as annotators mark the apex. ``slow_fades`` is the share of movements that fade as in
    CAS(ME)^3 (median .5 s, a quarter over .9 s), however long they then are. ValueError as `draw_duration`.
    """
    rise, fall = draw_duration(rng, longest_s)
    hold = 0.0
    if rng.random() < 0.5:
        hold = float(rng.uniform(0, 0.2 if rng.random() < 0.3 else 0.04))
    if rng.random() < slow_fades:
        fall = float(np.clip(np.exp(rng.normal(np.log(0.5), 0.87)), 0.1, 3.0))
    half = 0.5 * min(hold, 0.8 * rise, 0.8 * fall)
    apex = onset_s + rise
    return Pulse(onset_s, apex - half, apex + half, apex + fall)


def draw_eye_movement(rng: np.random.Generator, pulse: Pulse) -> ScriptedDistractor:
    """What eyes do during any expression: a blink, a gaze shift or a lid that moves, begun before the apex."""
    start = float(rng.uniform(pulse.onset_s - 0.1, pulse.apex_s))
    kind = int(rng.integers(3))
    if kind == 1:
        return draw_distractor(rng, "gaze", start)
    blink = draw_distractor(rng, "blink", start)
    return blink if kind == 0 else replace(blink, size=float(rng.uniform(0.08, 0.4)))


def draw_macro_pulse(rng: np.random.Generator, onset_s: float) -> Pulse:
    """A macro-expression's course: rise 250-800 ms, hold 100-1800 ms, fall 300-1000 ms."""
    rise, hold, fall = rng.uniform(0.25, 0.8), rng.uniform(0.1, 1.8), rng.uniform(0.3, 1.0)
    return Pulse(onset_s, onset_s + rise, onset_s + rise + hold, onset_s + rise + hold + fall)


def draw_distractor(
    rng: np.random.Generator, kind: DistractorKind, start_s: float, actions: int = 0
) -> ScriptedDistractor:
    """A random distractor that starts at ``start_s``; a macro-expression picks one of ``actions``."""
    u = rng.uniform
    if kind == "blink":
        close, hold, opening = u(0.06, 0.12), u(0.01, 0.06), u(0.09, 0.22)
        pulse = Pulse(start_s, start_s + close, start_s + close + hold, start_s + close + hold + opening)
        return ScriptedDistractor(kind, pulse, float(u(0.85, 1.0)))
    if kind == "speech":
        length = float(u(0.6, 3.0))
        pulse = Pulse(start_s, start_s + 0.15, start_s + length - 0.2, start_s + length)
        n = 4
        return ScriptedDistractor(
            kind,
            pulse,
            float(u(3, 10)),
            hz=tuple(u(2, 6, n).tolist()),
            phase=tuple(u(0, 2 * np.pi, n).tolist()),
        )
    if kind == "gaze":
        jump = float(u(0.03, 0.06))
        length = float(u(0.3, 1.5))
        pulse = Pulse(start_s, start_s + jump, start_s + length - jump, start_s + length)
        return ScriptedDistractor(kind, pulse, float(u(1.5, 5)), angle=float(u(-np.pi, np.pi)))
    if kind == "shake":
        length = float(u(0.4, 1.2))
        pulse = Pulse(start_s, start_s + 0.15, start_s + length - 0.15, start_s + length)
        return ScriptedDistractor(
            kind, pulse, float(u(1.5, 8)), angle=float(u(-np.pi, np.pi)), hz=(float(u(1, 3)),), phase=(0.0,)
        )
    if kind == "macro":
        if actions < 1:
            raise ValueError("a macro-expression needs an action to perform")
        pulse = draw_macro_pulse(rng, start_s)
        return ScriptedDistractor(kind, pulse, float(u(3, 10)), action=int(rng.integers(actions)))
    raise ValueError(f"kind must be one of {DISTRACTORS}, got {kind!r}")

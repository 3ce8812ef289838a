"""Action units as smooth displacement fields plus opening and closing of lids and lips.

A field is *backward*: ``apex(p) = neutral(p - amount * field(p))``, so that showing a face at any amount
is one remapping. All positions are relative to a person's own landmarks, all lengths to the distance
between the eyes, and every person and every event varies a little in place, extent, direction and side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.training.synthesis.faces.action_units import ACTION_UNITS, MIRROR
from mer_live.training.synthesis.faces.face_model import CROP, FaceModel
from mer_live.training.synthesis.faces.facts import draw_combination

GRID_STEP = 4
"""Crop px between the nodes on which fields are computed; bumps are ten times wider."""
GRID_PAD = 32
"""Crop px that a field reaches beyond the crop's frame on every side; it is zero out there."""


_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176,
    149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
_EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)


@dataclass(frozen=True, slots=True)
class Action:
    """A movement of one person at an amount of 1 crop px; multiply by the intensity wanted."""

    name: str
    field: NDArray[np.float32]
    """(G, G, 2) backward displacement (x, y), crop px, on a grid of step GRID_STEP from -GRID_PAD."""
    upper_lid: tuple[float, float] = (0.0, 0.0)
    lower_lid: tuple[float, float] = (0.0, 0.0)
    """Crop px downward, (subject's right, left)."""
    jaw: float = 0.0
    lips: float = 0.0
    """Mouth opening, crop px."""

    @property
    def peak(self) -> float:
        """Largest displacement of any of its parts, crop px."""
        parts = (*self.upper_lid, *self.lower_lid, self.jaw, self.lips)
        norm = float(np.sqrt((self.field.astype(np.float64) ** 2).sum(-1)).max())
        return max(norm, *(abs(p) for p in parts))

    def scaled(self, factor: float) -> Action:
        """The same movement, larger or smaller."""
        return replace(
            self,
            field=self.field * np.float32(factor),
            upper_lid=(self.upper_lid[0] * factor, self.upper_lid[1] * factor),
            lower_lid=(self.lower_lid[0] * factor, self.lower_lid[1] * factor),
            jaw=self.jaw * factor,
            lips=self.lips * factor,
        )


@dataclass(slots=True)
class _Sum:
    """Accumulates action units before they are normalised."""

    field: NDArray[np.float64]
    upper: list[float]
    lower: list[float]
    jaw: float = 0.0
    lips: float = 0.0


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    axis = np.arange(-GRID_PAD, CROP + GRID_PAD + 1, GRID_STEP, dtype=np.float64)
    x, y = np.meshgrid(axis, axis)
    return x, y


def _mask(model: FaceModel) -> NDArray[np.float32]:
    """1 on the skin, falling to 0 over the hair, the background and the eyeballs."""
    size = CROP + 2 * GRID_PAD + 1
    canvas = np.zeros((size, size), np.uint8)
    oval = model.landmarks[list(_OVAL)] + GRID_PAD
    centre = oval.mean(0)
    oval = centre + (oval - centre) * 1.04
    cv2.fillPoly(canvas, [np.round(oval).astype(np.int32)], 255)
    unit = model.unit_px
    skin = cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), 0.10 * unit)
    eyes = np.zeros_like(canvas)
    for ring in _EYES:
        cv2.fillPoly(eyes, [np.round(model.landmarks[list(ring)] + GRID_PAD).astype(np.int32)], 255)
    ball = cv2.GaussianBlur(eyes.astype(np.float32) / 255, (0, 0), 0.035 * unit)
    return np.ascontiguousarray((skin * (1 - ball))[::GRID_STEP, ::GRID_STEP])


def _jitter(rng: np.random.Generator, person: np.random.Generator, scale: float) -> float:
    """A deviation of which most belongs to the person and the rest to the event."""
    return scale * (0.8 * float(person.standard_normal()) + 0.6 * float(rng.standard_normal()))


def _person(model: FaceModel, name: str) -> np.random.Generator:
    words = np.frombuffer(f"{model.subject}/{name}".encode(), np.uint8).astype(np.uint32)
    return np.random.default_rng(words.tolist())


def build_action(
    model: FaceModel,
    units: Mapping[int, float | tuple[float, float]],
    rng: np.random.Generator,
    *,
    name: str = "",
    asymmetry: float = 0.15,
) -> Action:
    """Combine action units on one person's face; the result's largest displacement is 1 crop px.

    ``units`` maps FACS numbers to strengths, of both sides or (subject's right, left); ``asymmetry`` is the
    standard deviation of each side's gain on top.
    Raises ValueError for a unit that is not in ACTION_UNITS.
    """
    unknown = sorted(set(units) - set(ACTION_UNITS))
    if unknown or not units:
        raise ValueError(f"action units must be among {sorted(ACTION_UNITS)}, got {sorted(units)}")
    x, y = _grid()
    total = _Sum(np.zeros((*x.shape, 2)), [0.0, 0.0], [0.0, 0.0])
    unit_px = model.unit_px
    tilt = rng.normal(0, asymmetry)  # one side of the face leads in every unit of an event
    for number, strength in sorted(units.items()):
        au = ACTION_UNITS[number]
        person = _person(model, str(number))
        gain = float(np.exp(_jitter(rng, person, 0.2)))
        sides = strength if isinstance(strength, tuple) else (strength, strength)
        for side, sign in ((0, -1.0), (1, 1.0)):
            own = (
                gain * sides[side] * float(np.clip(1 + sign * tilt + rng.normal(0, asymmetry / 2), 0.35, 1.7))
            )
            for bump in au.bumps:
                rows = [a if side == 0 else MIRROR[a] for a in bump.anchors]
                cx, cy = model.landmarks[rows].mean(0)
                cx += _jitter(rng, person, 0.035) * unit_px
                cy += _jitter(rng, person, 0.03) * unit_px
                sx = bump.sigma_x * unit_px * float(np.exp(_jitter(rng, person, 0.13)))
                sy = bump.sigma_y * unit_px * float(np.exp(_jitter(rng, person, 0.13)))
                turn = _jitter(rng, person, 0.16)
                dx, dy = sign * bump.lateral, bump.down
                dx, dy = dx * np.cos(turn) - dy * np.sin(turn), dx * np.sin(turn) + dy * np.cos(turn)
                weight = own * np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2))
                total.field[..., 0] += weight * dx
                total.field[..., 1] += weight * dy
            total.upper[side] += own * au.upper_lid
            total.lower[side] += own * au.lower_lid
        total.jaw += gain * max(sides) * au.jaw
        total.lips += gain * max(sides) * au.lips
    return _finish(model, total, name or "+".join(str(n) for n in sorted(units)))


def _finish(model: FaceModel, total: _Sum, name: str) -> Action:
    action = Action(
        name,
        (total.field * _mask(model)[..., None]).astype(np.float32),
        (total.upper[0], total.upper[1]),
        (total.lower[0], total.lower[1]),
        total.jaw,
        total.lips,
    )
    peak = action.peak
    if peak < 1e-6:
        raise ValueError(f"action {name} moves nothing")
    return action.scaled(1 / peak)


UNEQUAL = {"smile": 0.86, "other": 0.45}
"""Largest |L-R|/(L+R) of a movement coded on both sides; with the one-sided codes the medians are the published
.48 of smiles and .34 of brow raises."""
_COMPANIONS = (5, 6, 7)
"""Lids and cheeks follow a brow or a mouth with about half its strength."""


def draw_action(model: FaceModel, label: str, rng: np.random.Generator) -> Action:
    """A random movement of a class for this person: units, sides and their inequality as published.

    Raises ValueError for an unknown class.
    """
    codes = draw_combination(label, rng)
    weak_right, unequal = bool(rng.random() < 0.5), float(rng.random())
    units: dict[int, tuple[float, float]] = {}
    for side, number in codes:
        strength = float(np.exp(rng.normal(0, 0.2)))
        if number in _COMPANIONS and len(codes) > 1:
            strength *= 0.6
        gap = unequal * UNEQUAL["smile" if number in (6, 12) else "other"]
        weak = strength * (1 - gap) / (1 + gap)
        right, left = (weak, strength) if weak_right else (strength, weak)
        if side:  # hardly anybody keeps the other side quite still
            weak = strength * float(rng.uniform(0, 0.2))
            right, left = (strength, weak) if side == "R" else (weak, strength)
        units[number] = (right, left)
    name = f"{label}:{'+'.join(f'{side}AU{number}' for side, number in codes)}"
    return build_action(model, units, rng, name=name, asymmetry=0.05)


def dense(action: Action, density: float, box: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """The action's field at every texture pixel of a box (x0, y0, x1, y1 in crop px): (h, w, 2) crop px."""
    x0, y0, x1, y1 = box
    size = (round((x1 - x0) * density), round((y1 - y0) * density))
    # texture pixel i lies at crop x0 + (i + .5) / density - .5; grid node g at -GRID_PAD + g * GRID_STEP
    step = 1 / (density * GRID_STEP)
    matrix = np.array(
        [
            [step, 0, (x0 + 0.5 / density - 0.5 + GRID_PAD) / GRID_STEP],
            [0, step, (y0 + 0.5 / density - 0.5 + GRID_PAD) / GRID_STEP],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    field = cv2.warpAffine(action.field, matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT)
    # Interpolation leaves kinks along the grid, which would show as a pattern in the skin.
    return np.asarray(cv2.GaussianBlur(field, (0, 0), 0.7 * GRID_STEP * density), np.float32)

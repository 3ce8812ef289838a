"""Pixels of a face at one instant: lids and mouth first, then the skin's smooth displacement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.training.synthesis.faces.actions import Action, dense
from mer_live.training.synthesis.faces.apertures import Eye, Mouth
from mer_live.training.synthesis.faces.face_model import CROP, FaceModel


@dataclass(frozen=True, slots=True)
class FaceState:
    """Everything about a face at one instant besides its actions; lengths in crop px."""

    amounts: tuple[float, ...]
    """How far each of the renderer's actions has gone: peak displacement, crop px."""
    closure: float = 0.0
    """Blink: 0 open .. 1 closed."""
    gaze: tuple[float, float] = (0.0, 0.0)
    """Shift of the irises."""
    jaw: float = 0.0
    lips: float = 0.0
    """Mouth opening by speech, on top of the actions."""


class FaceRenderer:
    """Draws one model; keeps scratch memory, so one per thread.

    ``shading`` is how much a compressed patch of skin darkens (folds) and a stretched one brightens: relative
    brightness per relative area.
    """

    def __init__(self, model: FaceModel, actions: Sequence[Action], *, shading: float = 0.35) -> None:
        self.model = model
        self.actions = tuple(actions)
        self.eyes = (Eye(model, 0), Eye(model, 1))
        self.mouth = Mouth(model)
        x0, y0, x1, y1 = model.face_box
        self._box = (slice(y0, y1), slice(x0, x1))
        k = model.density
        left, top = model.margin
        box = (x0 / k - left, y0 / k - top, x1 / k - left, y1 / k - top)
        self._fields = [np.ascontiguousarray(dense(a, k, box) * np.float32(k)) for a in self.actions]
        gx, gy = np.meshgrid(np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32))
        self._grid = np.ascontiguousarray(np.stack([gx, gy], -1))
        self._map = np.empty_like(self._grid)
        self._shade = [_shade(f, shading) for f in self._fields]

    def _lids(self, state: FaceState, side: int) -> tuple[float, float]:
        upper = sum(a * act.upper_lid[side] for a, act in zip(state.amounts, self.actions, strict=True))
        lower = sum(a * act.lower_lid[side] for a, act in zip(state.amounts, self.actions, strict=True))
        # Looking down lowers the upper lid, looking up lifts it.
        upper += 0.7 * state.gaze[1]
        closed = 0.95 * self.eyes[side].aperture_px
        upper += state.closure * (closed - upper)
        return upper, lower - 0.06 * closed * state.closure

    def _mouth(self, state: FaceState) -> tuple[float, float]:
        jaw = state.jaw + sum(a * act.jaw for a, act in zip(state.amounts, self.actions, strict=True))
        lips = state.lips + sum(a * act.lips for a, act in zip(state.amounts, self.actions, strict=True))
        return max(jaw, 0.0), max(lips, 0.0)

    def render(self, state: FaceState, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """The model's whole texture, (H, W) or (H, W, 3), in ``out`` (owned by the caller) or a new array."""
        texture = self.model.texture
        if out is None:
            out = np.empty_like(texture)
        np.copyto(out, texture)
        moved = False
        for side, eye in enumerate(self.eyes):
            upper, lower = self._lids(state, side)
            if max(abs(upper), abs(lower), abs(state.gaze[0]), abs(state.gaze[1])) > 1e-4:
                out[eye.box] = eye.draw(texture, upper, lower, state.gaze)
                moved = True
        jaw, lips = self._mouth(state)
        if max(jaw, lips) > 1e-4:
            out[self.mouth.box] = self.mouth.draw(texture, jaw, lips)
            moved = True
        active = [
            (a, f, s) for a, f, s in zip(state.amounts, self._fields, self._shade, strict=True) if a != 0
        ]
        if active:
            np.copyto(self._map, self._grid)
            for amount, field, _ in active:
                cv2.scaleAdd(field, -amount, self._map, dst=self._map)
            source = out.copy() if moved else texture
            patch = cv2.remap(source, self._map, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            gain = active[0][0] * active[0][2]
            for amount, _, shade in active[1:]:
                gain = gain + amount * shade
            if gain.any():
                gain = np.clip(1 + gain, 0.6, 1.4).astype(np.float32)
                patch = cv2.multiply(
                    patch, gain if patch.ndim == 2 else cv2.merge([gain] * 3), dtype=cv2.CV_8U
                )
            out[self._box] = patch
        return out

    def flow(self, state: FaceState, iterations: int = 8) -> NDArray[np.float32]:
        """Exact displacement (x, y), crop px, of each pixel of the neutral crop: (224, 224, 2).

        Where a lid or lip hides or bares what lies behind it, the displacement of the skin is given.
        """
        axis = np.arange(CROP, dtype=np.float32)
        x, y = np.meshgrid(axis, axis)
        forward = np.zeros((CROP, CROP, 2), np.float32)
        for _ in range(
            iterations
        ):  # p + f = q, f = backward(q): a contraction, since displacements vary slowly
            forward = self._backward(state, x + forward[..., 0], y + forward[..., 1], x, y)
        return forward

    def _backward(
        self,
        state: FaceState,
        qx: NDArray[np.float32],
        qy: NDArray[np.float32],
        px: NDArray[np.float32],
        py: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Displacement at shown positions q of neutral points p, crop px; p tells the side of an edge."""
        k = self.model.density
        m = self.model.to_texture.astype(np.float32)

        def at(
            field: NDArray[np.float32],
            box: tuple[slice, slice],
            x: NDArray[np.float32],
            y: NDArray[np.float32],
        ) -> NDArray[np.float32]:
            map_x = x * m[0, 0] + m[0, 2] - np.float32(box[1].start)
            map_y = y * m[1, 1] + m[1, 2] - np.float32(box[0].start)
            return np.asarray(
                cv2.remap(field, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
            )

        total = np.zeros((*px.shape, 2), np.float32)
        for amount, field in zip(state.amounts, self._fields, strict=True):
            if amount:
                total += amount / k * at(field, self._box, qx, qy)
        # Behind the smooth field lie the lids and the mouth: look them up where the field took the point.
        sx, sy = qx - total[..., 0], qy - total[..., 1]
        texture_y = py * np.float32(k) + np.float32(m[1, 2])
        down = np.zeros_like(px)
        for side, eye in enumerate(self.eyes):
            upper, lower = self._lids(state, side)
            if max(abs(upper), abs(lower)) > 1e-4:
                skin_up, skin_low, ball, _, _ = eye.layers(upper, lower)
                rest_up, rest_low = eye.rest(px * np.float32(k) + np.float32(m[0, 2]))
                which = np.where(
                    texture_y <= rest_up,
                    at(skin_up, eye.box, sx, sy),
                    np.where(texture_y >= rest_low, at(skin_low, eye.box, sx, sy), at(ball, eye.box, sx, sy)),
                )
                down += which / k
        jaw, lips = self._mouth(state)
        if max(jaw, lips) > 1e-4:
            up, low, _, _ = self.mouth.layers(jaw, lips)
            seam = self.mouth.rest(px * np.float32(k) + np.float32(m[0, 2]))
            down += (
                np.where(texture_y <= seam, at(up, self.mouth.box, sx, sy), at(low, self.mouth.box, sx, sy))
                / k
            )
        total[..., 1] += down
        return total


def _shade(field: NDArray[np.float32], strength: float) -> NDArray[np.float32]:
    """Relative brightness change per unit amount: folds where the field converges."""
    dx = cv2.Sobel(field[..., 0], cv2.CV_32F, 1, 0, scale=1 / 8)
    dy = cv2.Sobel(field[..., 1], cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(strength * (dx + dy), np.float32)

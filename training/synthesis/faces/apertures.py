"""Lids and lips: edges that slide over what lies behind them, which a smooth field cannot show."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.training.synthesis.faces.face_model import FaceModel, apply

_UPPER = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (362, 398, 384, 385, 386, 387, 388, 466, 263))
_LOWER = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (362, 382, 381, 380, 374, 373, 390, 249, 263))
"""Lid edges from the corner on the image's left to the corner on its right; subject's right eye first."""
_BROW = ((52, 65, 53), (282, 295, 283))
_IRIS = ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477))
_LIP_UP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
_LIP_LOW = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)


def _curve(points: NDArray[np.float32], columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Height of a left-to-right curve at each column; its end heights beyond its ends."""
    order = np.argsort(points[:, 0])
    return np.asarray(np.interp(columns, points[order, 0], points[order, 1]), np.float32)


def _smooth(t: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float32]:
    """Smooth step: 0 below 0, 1 above 1."""
    part = np.asarray(np.clip(t, 0, 1), np.float32)
    return np.asarray(part * part * (3 - 2 * part), np.float32)


def _sample(
    image: NDArray[np.uint8], map_x: NDArray[np.float32], map_y: NDArray[np.float32]
) -> NDArray[np.uint8]:
    return np.asarray(cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _over(top: NDArray[np.uint8], alpha: NDArray[np.float32], under: NDArray[np.uint8]) -> NDArray[np.uint8]:
    a = alpha if top.ndim == 2 else alpha[..., None]
    mixed = under + a * (top.astype(np.float32) - under)
    return np.asarray(mixed + 0.5, np.uint8)


class Eye:
    """One eye of a model's texture; all inner lengths are texture px."""

    def __init__(self, model: FaceModel, side: int) -> None:
        to_texture = model.to_texture
        up = apply(to_texture, model.landmarks[list(_UPPER[side])])
        low = apply(to_texture, model.landmarks[list(_LOWER[side])])
        brow = apply(to_texture, model.landmarks[list(_BROW[side])])
        unit = model.unit_px * model.density
        self._density = model.density
        h, w = model.texture.shape[:2]
        x0 = max(int(up[0, 0] - 0.12 * unit), 0)
        x1 = min(int(up[-1, 0] + 0.12 * unit) + 1, w)
        y0 = max(int(brow[:, 1].mean() - 0.05 * unit), 0)
        y1 = min(int(low[:, 1].max() + 0.35 * unit) + 1, h)
        self.box = (slice(y0, y1), slice(x0, x1))
        columns = np.arange(x0, x1, dtype=np.float32)
        # The lash line is drawn around the lid's edge: half a crop px further in takes it along.
        gap = np.maximum(_curve(low, columns) - _curve(up, columns), 0)
        self._up = _curve(up, columns) + np.minimum(0.5 * model.density, 0.2 * gap)
        self._low = np.maximum(_curve(low, columns) - np.minimum(0.3 * model.density, 0.1 * gap), self._up)
        self._gap = self._low - self._up
        self._widest = max(float(self._gap.max()), 1.0)
        # How far above the edge the lid's skin is stretched: it must exceed 1.5 times the travel.
        self._reach_up = max(float(self._up.min() - brow[:, 1].max()), 1.6 * self._widest)
        self._reach_low = 0.3 * unit
        self._x, self._y = np.meshgrid(columns, np.arange(y0, y1, dtype=np.float32))
        iris = apply(to_texture, model.landmarks[list(_IRIS[side])])
        self._radius = float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean())
        far = np.hypot(self._x - iris[0, 0], self._y - iris[0, 1]) / self._radius
        self._ball = 1 - _smooth((far - 1.15) / 0.9)
        # Skin for a lowered lid, from above the lashes and without the detail that stretching would smear.
        self._lash = 0.03 * unit
        above = max(y0 - round(4 * self._lash), 0)
        skin = model.texture[above : above + y1 - y0, x0:x1]
        self._skin = np.asarray(cv2.GaussianBlur(skin, (0, 0), 0.04 * unit), np.uint8)

    @property
    def aperture_px(self) -> float:
        """Largest opening, crop px."""
        return self._widest / self._density

    def rest(self, columns: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Heights of both lids' edges at rest at the given columns, texture px."""
        own = self._x[0]
        return (
            np.interp(columns, own, self._up).astype(np.float32),
            np.interp(columns, own, self._low).astype(np.float32),
        )

    def layers(self, upper: float, lower: float) -> tuple[NDArray[np.float32], ...]:
        """Backward travel (down, texture px) of upper-lid skin, lower-lid skin, eyeball; both lids' masks."""
        profile = self._gap / self._widest
        travel = min(upper * self._density, 0.97 * self._widest) * profile
        rise = max(lower * self._density, -0.6 * self._widest) * profile
        edge = self._up + travel
        edge_low = np.maximum(self._low + rise, edge)
        above = edge - self._y
        below = self._y - edge_low
        skin_up = travel * (1 - _smooth(above / self._reach_up))
        skin_low = (edge_low - self._low) * (1 - _smooth(below / self._reach_low))
        room = np.maximum(self._low - edge, 1e-3)
        # What a raised lid bares is made of the strip below it; pupil and iris stay round.
        lifted = np.minimum(travel, 0)
        strip = np.minimum(2.5 * np.abs(lifted) + self._density, room)
        opened = lifted * np.clip(1 + (edge - self._y) / strip, 0, 1)
        closed_low = np.maximum(edge_low - self._low, 0) * np.clip((self._y - self._up) / room, 0, 1)
        ball = opened + np.where(self._y > edge, closed_low, 0)
        alpha_up = np.clip(above + 0.5, 0, 1)
        alpha_low = np.clip(below + 0.5, 0, 1)
        return skin_up, skin_low, np.asarray(ball, np.float32), alpha_up, alpha_low

    def draw(
        self, texture: NDArray[np.uint8], upper: float, lower: float, gaze: tuple[float, float]
    ) -> NDArray[np.uint8]:
        """The eye's box with the lids' edges moved down and the gaze shifted, all in crop px."""
        skin_up, skin_low, ball, alpha_up, alpha_low = self.layers(upper, lower)
        gx, gy = gaze[0] * self._density, gaze[1] * self._density
        y_ball = self._y - ball - gy * self._ball
        eyeball = _sample(texture, self._x - gx * self._ball, y_ball)
        out = _over(_sample(texture, self._x, self._y - skin_low), alpha_low, eyeball)
        lid = _sample(texture, self._x, self._y - skin_up)
        lowered = skin_up.max() / self._widest
        if lowered > 0.1:
            height, width = self._y.shape
            x, y = self._x - self._x[0, 0], self._y - self._y[0, 0] - skin_up
            soft = _sample(self._skin, np.clip(x, 0, width - 1), np.clip(y, 0, height - 1))
            from_edge = self._up + skin_up.max(axis=0) - self._y
            part = _smooth((from_edge - self._lash) / self._lash) * _smooth(skin_up / (0.3 * self._widest))
            lid = _over(soft, 0.9 * _smooth(np.asarray((lowered - 0.1) / 0.5)) * part, lid)
        return _over(lid, alpha_up, out)


class Mouth:
    """The mouth and jaw of a model's texture; all inner lengths are texture px."""

    def __init__(self, model: FaceModel) -> None:
        to_texture = model.to_texture
        up = apply(to_texture, model.landmarks[list(_LIP_UP)])
        low = apply(to_texture, model.landmarks[list(_LIP_LOW)])
        chin = apply(to_texture, model.landmarks[[152]])[0]
        nose = apply(to_texture, model.landmarks[[2]])[0]
        unit = model.unit_px * model.density
        self._density = model.density
        h, w = model.texture.shape[:2]
        centre = float(up[:, 0].mean())
        x0, x1 = max(int(centre - 1.15 * unit), 0), min(int(centre + 1.15 * unit), w)
        y0, y1 = max(int(nose[1]), 0), min(int(chin[1] + 0.55 * unit), h)
        self.box = (slice(y0, y1), slice(x0, x1))
        columns = np.arange(x0, x1, dtype=np.float32)
        seam = _curve(np.asarray((up + low) / 2, np.float32), columns)
        half = 0.5 * float(up[-1, 0] - up[0, 0])
        middle = 0.5 * float(up[-1, 0] + up[0, 0])
        self._profile = np.clip(1 - np.abs((columns - middle) / half) ** 2.2, 0, 1).astype(np.float32)
        self._seam_up = np.where(self._profile > 0, np.minimum(_curve(up, columns), seam), seam)
        self._seam_low = np.where(self._profile > 0, np.maximum(_curve(low, columns), seam), seam)
        self._x, self._y = np.meshgrid(columns, np.arange(y0, y1, dtype=np.float32))
        below = self._y - self._seam_low
        side = np.exp(-0.5 * ((self._x - middle) / (0.62 * unit)) ** 4).astype(np.float32)
        p = self._profile
        floor = float(chin[1])
        neck = 1 - _smooth((self._y - (floor + 0.05 * unit)) / (0.45 * unit))
        # Beside the lips the skin goes from still to the jaw's travel without an edge.
        passage = (1 - p) * _smooth(below / (0.5 * unit) + 0.25) * side * neck
        self._jaw = p * side * neck + passage
        self._beside = passage
        self._slack = ((1 - p) * _smooth(np.full_like(p, 0.25))).astype(np.float32)
        narrow = np.exp(-0.5 * ((self._x - middle) / (0.75 * half)) ** 4).astype(np.float32)
        self._lip = p * narrow * (1 - _smooth(below / (0.4 * unit)))
        above = self._seam_up - self._y
        self._lift = -p * narrow * (1 - _smooth(above / (0.8 * max(float(seam.min()) - y0, 1.0))))
        lips = model.texture[self.box]
        inner = (np.abs(self._y - seam) < 0.08 * unit) & (self._profile > 0.5)
        dark = np.percentile(lips[inner], 10, axis=0) * 0.55
        # Where the mouth is open at rest its teeth stay with the skull; what opens further is dark.
        resting = np.clip((self._seam_low - np.maximum(self._density, 0.02 * unit) - self._y) / 2, 0, 1)
        depth = resting if lips.ndim == 2 else resting[..., None]
        self._inside = np.asarray(dark + depth * (lips - dark) + 0.5, np.uint8)

    def rest(self, columns: NDArray[np.float32]) -> NDArray[np.float32]:
        """Height of the closed lips' seam at the given columns, texture px."""
        return np.interp(columns, self._x[0], 0.5 * (self._seam_up + self._seam_low)).astype(np.float32)

    def layers(self, jaw: float, lips: float) -> tuple[NDArray[np.float32], ...]:
        """Backward travel (downward, texture px) above and below the seam, and the masks of both parts."""
        j, li = jaw * self._density, lips * self._density
        upper = (0.12 * j + 0.35 * li) * self._lift + j * self._beside
        lower = j * self._jaw + 0.65 * li * self._lip
        edge_up = self._seam_up - (0.12 * j + 0.35 * li) * self._profile + j * self._slack
        edge_low = self._seam_low + (j + 0.65 * li) * self._profile + j * self._slack
        # Where lips that touch at rest still touch, the two parts share one edge: no dark line appears.
        gap = self._seam_low - self._seam_up
        opened = np.clip((edge_low - edge_up - gap) / self._density, 0, 1)
        shut = (1 - opened) * np.clip(2 - gap / self._density, 0, 1)
        half = 0.5 * shut * (edge_low - edge_up)
        alpha_up = np.clip(edge_up + half - self._y + 0.5, 0, 1)
        alpha_low = np.maximum(np.clip(self._y - (edge_low - half) + 0.5, 0, 1), shut)
        return upper, lower, alpha_up, alpha_low

    def draw(self, texture: NDArray[np.uint8], jaw: float, lips: float) -> NDArray[np.uint8]:
        """The mouth's box with the mouth opened, crop px."""
        upper, lower, alpha_up, alpha_low = self.layers(jaw, lips)
        out = _over(_sample(texture, self._x, self._y - lower), alpha_low, self._inside)
        return _over(_sample(texture, self._x, self._y - upper), alpha_up, out)

"""Micro-expressions put into real footage: skin is displaced, noise and motion stay the camera's own."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.crop import crop_warp
from mer_live.training.synthesis.faces.actions import Action, build_action, draw_action
from mer_live.training.synthesis.faces.face_model import CROP, FaceModel, apply
from mer_live.training.synthesis.render import FaceRenderer, FaceState

_REACH = 24
"""Crop px around the crop's frame that may move."""


class Injector:
    """One movement of one filmed person, ready to be put into any of their frames.

    Args:
        landmarks: (478, 2) frame px of a frame in which the face is neutral.
        label: class of the movement; or ``units``, action units at full strength; or ``action``.
        rng: draws the movement.
    """

    def __init__(
        self,
        landmarks: NDArray[np.float32],
        rng: np.random.Generator,
        *,
        label: str | None = None,
        units: Sequence[int] | None = None,
        action: Action | None = None,
    ) -> None:
        if sum(x is not None for x in (label, units, action)) != 1:
            raise ValueError("give a label, action units or an action")
        self.anchor = crop_warp(landmarks, CROP).astype(np.float64)
        points = apply(self.anchor, landmarks)
        size = CROP + 2 * _REACH
        self.model = FaceModel(
            "footage", np.zeros((size, size), np.uint8), points, 1.0, (float(_REACH), float(_REACH))
        )
        if units is not None:
            action = build_action(self.model, dict.fromkeys(units, 1.0), rng)
        self.action = action if action is not None else draw_action(self.model, str(label), rng)
        self._field = self._backward()

    def _backward(self) -> NDArray[np.float32]:
        """Backward displacement at an amount of 1 px, lids and lips included, (S, S, 2), largest norm 1."""
        renderer = FaceRenderer(self.model, [self.action])
        amount = 1.0
        forward = renderer.flow(FaceState((amount,))) / amount
        # Lids and lips have sharp edges in truth; in footage the aperture is not known in every frame, so
        # they are softened to what a resampling can show without tearing.
        soft = cv2.GaussianBlur(forward, (0, 0), 1.5)
        soft = cv2.copyMakeBorder(soft, _REACH, _REACH, _REACH, _REACH, cv2.BORDER_CONSTANT, value=(0, 0))
        edge = np.minimum(np.arange(len(soft)), np.arange(len(soft))[::-1]) / (1.2 * _REACH)
        fade = np.clip(edge, 0, 1).astype(np.float32)
        soft = soft * (fade[:, None] * fade[None, :])[..., None]
        return np.asarray(soft / np.linalg.norm(soft, axis=-1).max(), np.float32)

    @property
    def field(self) -> NDArray[np.float32]:
        """(224, 224, 2) displacement at an amount of 1 crop px."""
        return self._field[_REACH:-_REACH, _REACH:-_REACH]

    def inject(
        self, frame: NDArray[np.uint8], to_crop: NDArray[np.float32] | NDArray[np.float64], amount_px: float
    ) -> NDArray[np.uint8]:
        """The frame with the movement at ``amount_px`` (crop px of the largest displacement); a new array.

        Args:
            frame: (H, W, 3) or (H, W) uint8.
            to_crop: (2, 3) similarity from this frame's px to crop px: `crop_warp` of this frame's landmarks,
                or better a smoothly tracked one (landmark jitter would shake the field).
            amount_px: intensity times the pulse's value at this time; 0 returns the frame untouched.
        """
        out = frame.copy()
        if amount_px == 0:
            return out
        warp = np.vstack([np.asarray(to_crop, np.float64), [0, 0, 1]])
        back = np.linalg.inv(warp)
        size = len(self._field)
        corners = np.array([[-_REACH, -_REACH], [size, -_REACH], [-_REACH, size], [size, size]], np.float32)
        seen = apply(back[:2], corners)
        h, w = frame.shape[:2]
        x0, y0 = np.clip(np.floor(seen.min(0)).astype(int), 0, [w, h])
        x1, y1 = np.clip(np.ceil(seen.max(0)).astype(int) + 1, 0, [w, h])
        if x1 - x0 < 2 or y1 - y0 < 2:
            return out
        # field pixel = crop pixel + _REACH; ROI pixel = frame pixel - (x0, y0)
        lookup = warp[:2].copy()
        lookup[:, 2] += lookup[:, :2] @ [x0, y0] + _REACH
        field = cv2.warpAffine(
            self._field,
            lookup,
            (int(x1 - x0), int(y1 - y0)),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        )
        shift = (amount_px * field) @ back[:2, :2].T.astype(np.float32)
        gx, gy = np.meshgrid(np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32))
        out[y0:y1, x0:x1] = cv2.remap(
            frame, gx - shift[..., 0], gy - shift[..., 1], cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE
        )
        return out

"""Crops of a texture that moves, and what may differ between a device's ADM rows and images and the CPU's."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from support.tolerances import TOLERANCES, assert_close

from mer_live.realtime.face.crop import Cropper


def crop_gray(image_bgr: NDArray[np.uint8], warp: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(S, S) uint8: one face crop, as the live path cuts it."""
    return Cropper(warp, *image_bgr.shape[:2]).apply(image_bgr)


def crops_of(seed: int = 0, length: int = 16) -> NDArray[np.uint8]:
    """(T, 224, 224): a texture that moves with a smooth field, there and back; no two frames are equal."""
    rng = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(rng.standard_normal((224, 224)), (0, 0), s) for s in (1.5, 4.0, 12.0)]
    image = np.clip(128 + 30 * np.asarray(sum(a / a.std() for a in layers)), 0, 255).astype(np.uint8)
    fields = [cv2.GaussianBlur(rng.standard_normal((224, 224)), (0, 0), 25) for _ in range(2)]
    dx, dy = (2.0 * f / np.abs(f).max() for f in fields)
    y, x = np.mgrid[:224, :224]
    strength = np.sin(np.linspace(0, 2.9, length))
    moved = [
        cv2.remap(
            image,
            (x + s * dx).astype(np.float32),
            (y + s * dy).astype(np.float32),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )
        for s in strength
    ]
    return np.stack(moved).astype(np.uint8)


def assert_adm_close(got: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Magnitudes as they are; angles where the cell moves at all, around the circle."""
    assert_close("device-adm-px", got[..., 1::2], expected[..., 1::2])
    turn = np.angle(np.exp(1j * (got[..., 0::2] - expected[..., 0::2])))
    moving = expected[..., 1::2] > 0.01
    assert_close("device-adm-rad", turn[moving], np.zeros(moving.sum()))


def assert_levels_close(got: NDArray[Any], expected: NDArray[Any]) -> None:
    """Gray levels 0..255 of images made of flow."""
    difference = np.abs(got.astype(float) - expected.astype(float))
    assert difference.mean() < TOLERANCES["device-gray-mean"].atol
    assert difference.max() <= TOLERANCES["device-gray-max"].atol

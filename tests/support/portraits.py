"""Photographs of stand-in people, laid out as a face set: one portrait, reshaped into several."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

NOSE, MOUTH = (223.5, 131.0), ((202.3, 139.2), (244.5, 140.6))
"""Tip of the nose and corners of the mouth in the portrait, px."""
SCALE = 4.4
"""Enlarges the face to 390 px, as in the Face Research Lab London Set; every picture has 1000 px."""

GRAIN = 10.0
"""Standard deviation of the skin's texture, gray levels."""


@dataclass(frozen=True, slots=True)
class Person:
    """How one person differs from the portrait."""

    name: str
    """Its hash decides the split: two of train, two of test, one of val stand in ``PEOPLE``."""
    broad: float = 1.0
    """Width of the face beside its height."""
    mirrored: bool = False
    light: float = 1.0
    """Exponent of the gray levels."""


PEOPLE = (
    Person("001"),
    Person("002", broad=1.08, mirrored=True),
    Person("014", broad=0.94, light=0.8),
    Person("023", broad=1.03, light=1.25),
    Person("031", broad=0.97, mirrored=True, light=0.9),
)


def photograph(person: Person, smile_px: float = 0.0) -> NDArray[np.uint8]:
    """(1000, 1000, 3) BGR; ``smile_px`` raises the corners of the mouth and draws them apart."""
    data = pytest.importorskip("skimage.data", reason="the portrait comes with scikit-image")
    portrait = np.ascontiguousarray(data.astronaut()[:, :, ::-1])
    y, x = np.mgrid[0:1000, 0:1000].astype(np.float32)
    u = NOSE[0] + (x - 487) / (SCALE * person.broad)
    v = NOSE[1] + (y - 580) / SCALE
    for side, (corner_x, corner_y) in zip((-1, 1), MOUTH, strict=True):
        near = np.exp(-((u - corner_x) ** 2 + (v - corner_y) ** 2) / (2 * 6.0**2)) * smile_px / SCALE
        u, v = u - side * near, v + near
    picture = cv2.remap(portrait, u, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    # Enlarged skin is smooth; a tracker needs the grain of real skin.
    grain = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, (1000, 1000, 1)), (0, 0), 3.0)
    picture = np.clip(picture + GRAIN * grain[..., None] / grain.std(), 0, 255)
    if person.mirrored:
        picture = np.ascontiguousarray(picture[:, ::-1])
    return np.asarray(255 * (picture / 255.0) ** person.light, np.uint8)


def write_faces(folder: Path) -> Path:
    """Write ``NAME_neutral.jpg`` and ``NAME_smiling.jpg`` of every one of ``PEOPLE``; returns ``folder``."""
    for person in PEOPLE:
        for kind, smile_px in (("neutral", 0.0), ("smiling", 25.0)):
            assert cv2.imwrite(str(folder / f"{person.name}_{kind}.jpg"), photograph(person, smile_px))
    return folder

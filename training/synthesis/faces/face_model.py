"""A photograph of a face, resampled into the frame of the live crop at a chosen sharpness."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.crop import crop_warp
from mer_live.realtime.face.landmarks import detect_landmarks

CROP = 224
"""Side of the live crop; every length called ``_px`` in this package is in its pixels."""

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class FacePhoto:
    """One person's photograph, the face at rest."""

    subject: str
    image: NDArray[np.uint8]
    """(H, W, 3) BGR."""
    landmarks: NDArray[np.float32]
    """(478, 2) px of ``image``."""


def list_subjects(folder: Path) -> list[str]:
    """Names of the people in a folder of ``NAME_neutral.jpg`` (or .png) files, sorted."""
    found = {p.stem.removesuffix("_neutral") for p in folder.glob("*_neutral.*") if p.suffix != ".npz"}
    if not found:
        raise ValueError(f"no face photographs in {folder}: name them NAME_neutral.jpg")
    return sorted(found)


def split_of(subject: str) -> Split:
    """Train, val or test (about 66, 17, 17 %) from the name alone, so that no run can mix people."""
    bucket = hashlib.sha256(f"mer-live/{subject}".encode()).digest()[0] % 6
    return "test" if bucket == 0 else "val" if bucket == 1 else "train"


def _read(folder: Path, stem: str) -> tuple[NDArray[np.uint8], NDArray[np.float32]] | None:
    paths = sorted(p for p in folder.glob(f"{stem}.*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if not paths:
        return None
    image = cv2.imread(str(paths[0]), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{paths[0]} is not a readable image; replace or remove it")
    landmarks = detect_landmarks(np.asarray(image, np.uint8))
    if landmarks is None:
        raise ValueError(f"no face was found in {paths[0]}; use a frontal photograph of one person")
    return np.asarray(image, np.uint8), landmarks


def has_smile(folder: Path, subject: str) -> bool:
    """Whether a person's smiling photograph is there."""
    return any(folder.glob(f"{subject}_smiling.*"))


def load_photo(folder: Path, subject: str, *, smiling: bool = False) -> FacePhoto:
    """Read one person's photograph and detect the landmarks; ValueError says what is wrong.

    ``smiling`` takes the smiling photograph as the face at rest: people's resting faces differ, and a
    recogniser must not take the look of one for a movement.
    """
    stem = f"{subject}_{'smiling' if smiling else 'neutral'}"
    found = _read(folder, stem)
    if found is None:
        raise ValueError(f"{folder} holds no {stem}.jpg or .png")
    return FacePhoto(subject, *found)


@dataclass(frozen=True, slots=True)
class FaceModel:
    """The photograph laid out in crop pixels: texture pixel = (crop pixel + margin) * density."""

    subject: str
    texture: NDArray[np.uint8]
    """(H, W) gray or (H, W, 3) BGR."""
    landmarks: NDArray[np.float32]
    """(478, 2) in crop px (224 frame), before the margin is added."""
    density: float
    """Texture pixels per crop pixel; 2 keeps warps of a fiftieth of a crop pixel visible."""
    margin: tuple[float, float]
    """Crop px of scene to the left of and above the crop's frame."""

    @property
    def unit_px(self) -> float:
        """Distance between the eye centres in crop px, the ruler of every action."""
        eyes = self.landmarks[[33, 133, 263, 362]]
        return float(np.linalg.norm(eyes[2:].mean(0) - eyes[:2].mean(0)))

    @property
    def to_texture(self) -> NDArray[np.float64]:
        """(2, 3) maps crop px to texture px, pixel centres at integers in both."""
        k = self.density
        # A crop pixel's centre 0 lies half a crop pixel from its edge; keep edges together.
        shift = 0.5 * k - 0.5
        return np.array([[k, 0, self.margin[0] * k + shift], [0, k, self.margin[1] * k + shift]])

    @property
    def face_box(self) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 in texture px: the crop's frame and a little more; only this part is warped."""
        h, w = self.texture.shape[:2]
        m = self.to_texture
        x0, y0 = np.floor(m[:, 2] - 12 * self.density).astype(int)
        x1, y1 = np.ceil(m @ (CROP + 12.0, CROP + 30.0, 1.0)).astype(int)
        return max(int(x0), 0), max(int(y0), 0), min(int(x1), w), min(int(y1), h)


def similarity(source: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float64]:
    """(2, 3) least-squares rotation, scale and shift that takes source (N, 2) to target (N, 2)."""
    s, t = source.astype(np.float64), target.astype(np.float64)
    sm, tm = s.mean(0), t.mean(0)
    zs = (s - sm) @ np.array([1, 1j])
    zt = (t - tm) @ np.array([1, 1j])
    a = complex((zs.conj() @ zt) / (zs.conj() @ zs))
    linear = np.array([[a.real, -a.imag], [a.imag, a.real]])
    return np.hstack([linear, (tm - linear @ sm)[:, None]])


def apply(matrix: NDArray[np.float64], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map points (N, 2) with a (2, 3) affine matrix."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float32)


def build_model(
    photo: FacePhoto,
    *,
    density: float = 2.0,
    colour: bool = False,
    margin: tuple[float, float, float, float] = (28, 28, 28, 28),
) -> FaceModel:
    """Resample a photograph so that the live crop's frame lies at ``density`` texture px per crop px.

    ``margin`` (left, top, right, bottom) is the scene kept around the crop, in crop px. Outside the
    photograph its border is repeated.
    """
    if density <= 0 or min(margin) < 0:
        raise ValueError(f"density must be positive and margins not negative, got {density} and {margin}")
    to_crop = np.vstack([crop_warp(photo.landmarks, CROP).astype(np.float64), [0, 0, 1]])
    left, top, right, bottom = margin
    size = (round((CROP + left + right) * density), round((CROP + top + bottom) * density))
    shift = 0.5 * density - 0.5
    scale = np.array([[density, 0, left * density + shift], [0, density, top * density + shift], [0, 0, 1]])
    matrix = (scale @ to_crop)[:2]
    shrink = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    image = photo.image if colour else cv2.cvtColor(photo.image, cv2.COLOR_BGR2GRAY)
    if shrink < 0.9:
        # warpAffine does not average over the source pixels it skips: blur first, just enough.
        image = cv2.GaussianBlur(image, (0, 0), 0.45 / shrink)
    texture = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    landmarks = apply(to_crop[:2], photo.landmarks)
    return FaceModel(
        photo.subject, np.asarray(texture, np.uint8), landmarks, density, (float(left), float(top))
    )

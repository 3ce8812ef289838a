"""What the renderer moves on average, class by class: the picture to hold beside mean flow of real clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.types import CLASSES
from mer_live.training.pictures import figure, save
from mer_live.training.synthesis.faces.actions import draw_action
from mer_live.training.synthesis.faces.face_model import CROP, FacePhoto, build_model
from mer_live.training.synthesis.render import FaceRenderer, FaceState


@dataclass(frozen=True, slots=True)
class MeanField:
    """One class over many people and draws."""

    label: str
    flow: NDArray[np.float32]
    """(224, 224, 2) mean displacement (x, y) neutral -> apex, each draw at 1 crop px at its strongest."""
    landmarks: NDArray[np.float32]
    """(478, 2) mean face, crop px."""

    @property
    def outward(self) -> NDArray[np.float32]:
        """(224, 224) displacement away from the face's midline, crop px."""
        side = np.sign(np.arange(CROP) - self.landmarks[[10, 152, 168], 0].mean())
        return np.asarray(self.flow[..., 0] * side, np.float32)


def mean_field(photos: list[FacePhoto], label: str, draws: int, seed: int = 0) -> MeanField:
    """Mean of ``draws`` random movements of a class; people take turns, mirror images count as well.

    Raises ValueError for an unknown class.
    """
    models = [build_model(photo, density=1.0) for photo in photos]
    total = np.zeros((CROP, CROP, 2))
    for k in range(draws):
        model = models[k % len(models)]
        action = draw_action(model, label, np.random.default_rng([seed, CLASSES.index(label), k]))
        flow = FaceRenderer(model, [action]).flow(FaceState((1.0,)), iterations=3)
        total += flow / max(float(np.linalg.norm(flow, axis=-1).max()), 1e-6)
    total += total[:, ::-1] * [-1, 1]
    marks = np.mean([m.landmarks for m in models], axis=0)
    return MeanField(label, (total / (2 * draws)).astype(np.float32), marks.astype(np.float32))


def draw_fields(photos: list[FacePhoto], out: Path, draws: int, seed: int = 0) -> Path:
    """Write a PNG: a row for each class with arrows on the size, the outward and the downward part.

    Raises ImportError where matplotlib is missing.
    """
    sheet, rows = figure(10, 3.4 * len(CLASSES), len(CLASSES), 3)
    step = 8
    for axes, label in zip(rows, CLASSES, strict=True):
        mean = mean_field(photos, label, draws, seed)
        size = np.linalg.norm(mean.flow, axis=-1)
        top = float(size.max())
        parts = (("size", size, 0.0), ("outward", mean.outward, -top), ("down", mean.flow[..., 1], -top))
        for axis, (name, picture, low) in zip(axes, parts, strict=True):
            shown = axis.imshow(picture, cmap="RdBu_r" if low else "viridis", vmin=low, vmax=top)
            axis.scatter(*mean.landmarks.T, s=0.6, c="black" if low else "white", alpha=0.5)
            axis.set(title=f"{label}: {name}", xticks=[], yticks=[], xlim=(0, CROP - 1), ylim=(CROP - 1, 0))
            sheet.colorbar(shown, ax=axis, shrink=0.8)
        at = slice(step // 2, None, step)
        x, y = np.meshgrid(np.arange(CROP)[at], np.arange(CROP)[at])
        arrows = {"angles": "xy", "scale_units": "xy", "scale": top / (1.5 * step), "color": "white"}
        axes[0].quiver(x, y, mean.flow[at, at, 0], mean.flow[at, at, 1], **arrows)
    sheet.suptitle(f"Mean displacement, crop px at a peak of 1; {draws} draws of {len(photos)} people")
    return save(sheet, out, 80)

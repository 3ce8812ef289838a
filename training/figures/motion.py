"""Motion-attention images of a set, channel by channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mer_live.training.pictures import figure, save
from mer_live.training.prepared.prepared_set import PreparedSet

_CHANNELS = ("flow onset to middle", "middle frame", "flow middle to offset", "all three")


def some_of_each(prepared: PreparedSet, count: int) -> NDArray[np.int64]:
    """Rows of ``count`` clips of each class, spread over the set and so over its people."""
    chosen = []
    for label in range(len(prepared.classes)):
        rows = np.flatnonzero(prepared.labels == label)
        places = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))
        chosen.append(rows[places] if len(rows) else rows)
    return np.concatenate(chosen)


def draw_motion(prepared: PreparedSet, out: Path, count: int = 2) -> Path:
    """Draw a row for each of ``count`` clips of every class: MADTN's three channels, and the image that they make.

    Raises:
        PreparedError: The set has no array ``motion``.
    """
    images, rows = prepared.array("motion"), some_of_each(prepared, count)
    picture, grid = figure(6.4, 1.65 * len(rows), len(rows), 4, squeeze=False)
    for panels, row in zip(grid, rows, strict=True):
        image = np.asarray(images[row])
        for k, axes in enumerate(panels):
            axes.imshow(image if k == 3 else image[..., k], cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[])
        panels[0].set_ylabel(
            f"{prepared.classes[prepared.labels[row]]}\n{prepared.subjects[row]}", fontsize=7
        )
    for axes, name in zip(grid[0], _CHANNELS, strict=True):
        axes.set_title(name, fontsize=8)
    return save(picture, out)

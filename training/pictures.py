"""Figures for PNG files: no display, no global state, whatever the user's backend is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mer_live.engines.files import whole


def figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """Return an empty figure of this size in inches, and its axes; one, or an array of them.

    Raises:
        ImportError: matplotlib is not installed; the sentence says what to do.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'mer-live[train]'") from error
    picture = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(picture)
    return picture, picture.subplots(rows, columns, **options)


def save(picture: Any, file: Path, dpi: int = 120) -> Path:
    """Write a figure, whole or not at all, and return its path."""
    with whole(file) as partial:
        picture.savefig(partial, format="png", dpi=dpi)
    return file

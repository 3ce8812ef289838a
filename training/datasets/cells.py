"""What one cell of a sheet or a CSV says."""

from __future__ import annotations

import math


def frame_number(cell: object) -> int | None:
    """Return a frame number, fractions rounded (566.4 and 566,4 are 566), or None for ``/``, ``?`` and no cell."""
    if cell is None or isinstance(cell, bool):
        return None
    try:
        value = float(str(cell).strip().replace(",", "."))
    except ValueError:
        return None
    return round(value) if math.isfinite(value) else None


def text(cell: object) -> str:
    """Return a cell as text; 4.0 becomes ``4``, an empty cell the empty string."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()

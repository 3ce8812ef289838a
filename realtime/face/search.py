"""Where in the frame landmarks are sought next: the detector misses a face under a tenth of its picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.anchor import face_width

AROUND = 4.0
"""Side of the part that is searched for a known face, in face widths."""


class Region(NamedTuple):
    """A part of the frame, pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int


def next_region(height: int, width: int, tracked: NDArray[np.float32] | None, misses: int) -> Region:
    """The part of the frame to search next.

    mediapipe's detector shrinks whatever it is given to 128 pixels and finds faces down to about 9 % of the
    longer side: 60 px of 640, but 180 px of 1920. So a known face is sought in a square around it, where it
    is always large (and where a crowd costs nothing); an unknown one in the whole frame and then, look by
    look, in squares of the shorter side: middle, first and last part. A face found once stays found
    however small it is.

    Args:
        height: of the frame, pixels.
        width: of the frame, pixels.
        tracked: (478, 2) the known face's last landmarks, frame pixels, or None.
        misses: looks in a row that did not find it.

    Returns:
        A region inside the frame.
    """
    whole = Region(0, 0, width, height)
    if tracked is not None and misses == 0:
        side = int(AROUND * face_width(tracked))
        if side >= max(height, width):
            return whole
        x, y = tracked.mean(axis=0)
        (left, right), (top, bottom) = _slide(float(x), side, width), _slide(float(y), side, height)
        return Region(left, top, right, bottom)
    side = min(height, width)
    look = misses % 4
    if look == 0 or max(height, width) < 1.2 * side:
        return whole
    # 1: middle, 2: first, 3: last part along the longer side
    start = ((width - side) // 2, 0, width - side)[look - 1] if width > height else 0
    down = ((height - side) // 2, 0, height - side)[look - 1] if height > width else 0
    return Region(start, down, start + side, down + side)


def _slide(centre: float, side: int, extent: int) -> tuple[int, int]:
    """``side`` pixels around ``centre``, pushed into 0..extent; in steps of 16, to hold still as well."""
    if side >= extent:
        return 0, extent
    first = min(max(0, round((centre - side / 2) / 16) * 16), extent - side)
    return first, first + side

"""Where in the frame landmarks are sought next: the detector misses a face under an eighth of its picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.anchor import face_width

AROUND = 4.0
"""Side of the part that is searched for a known face, in face widths."""
_TOGETHER = 7.0
"""Side of the part that several faces are searched in, in widths of the smallest: beyond eight it is missed."""
_SMALLEST_SIDE = 640
"""In a square of this side a face of 80 px is found."""
_OVERLAP = 0.25


class Region(NamedTuple):
    """A part of the frame, pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def holds(self, x: float, y: float) -> bool:
        """Whether a point (frame px) lies in it."""
        return self.left <= x < self.right and self.top <= y < self.bottom


class Look(NamedTuple):
    """One search for landmarks."""

    region: Region
    turned: bool
    """With the picture upside down."""


@lru_cache(maxsize=16)
def search_looks(height: int, width: int) -> tuple[Look, ...]:
    """All looks for an unknown face, in turn: the whole frame both ways up, then ever smaller squares.

    mediapipe's detector shrinks whatever it is given to 128 pixels and finds faces down to an eighth of the longer
    side: 80 px of 640, but 240 px of 1920. So the squares overlap and shrink, by half each time, until a face of
    80 px is found in them: 1 look at 640x480, 12 at 1080p, 60 at 4K, and two for the frame upside down.
    """
    whole = Region(0, 0, width, height)
    looks = [Look(whole, turned=False), Look(whole, turned=True)]
    longest = max(height, width)
    side = min(height, width) if longest >= 1.2 * min(height, width) else max(_SMALLEST_SIDE, longest // 2)
    while longest > _SMALLEST_SIDE and side < longest:
        squares = [
            Region(left, top, min(width, left + side), min(height, top + side))
            for top in _starts(height, side)
            for left in _starts(width, side)
        ]
        # From the middle outwards: that is where people sit.
        squares.sort(key=lambda r: abs(r.left + r.right - width) + abs(r.top + r.bottom - height))
        looks += [Look(square, turned=False) for square in squares]
        if side <= _SMALLEST_SIDE:
            break
        side = max(_SMALLEST_SIDE, side // 2)
    return tuple(looks)


def around(height: int, width: int, landmarks: NDArray[np.float32]) -> Region:
    """The part of the frame about a known face, (478, 2) frame px, where it is always large.

    A crowd costs nothing there, and a face found once stays found however small it is.
    """
    side = int(AROUND * face_width(landmarks))
    if side >= max(height, width):
        return Region(0, 0, width, height)
    x, y = landmarks.mean(axis=0)
    (left, right), (top, bottom) = _slide(float(x), side, width), _slide(float(y), side, height)
    return Region(left, top, right, bottom)


def around_all(height: int, width: int, meshes: Sequence[NDArray[np.float32]]) -> list[Region]:
    """The one part of the frame about all of some known faces; where the smallest is too small in it, one a face."""
    each = [around(height, width, mesh) for mesh in meshes]
    lefts, tops, rights, bottoms = zip(*each, strict=True)
    whole = Region(min(lefts), min(tops), max(rights), max(bottoms))
    longest = max(whole.right - whole.left, whole.bottom - whole.top)
    small = longest > _TOGETHER * min(face_width(mesh) for mesh in meshes)
    return each if small and len(each) > 1 else [whole]


def _starts(extent: int, side: int) -> list[int]:
    """Where overlapping pieces of ``side`` begin so that they cover ``extent``."""
    if side >= extent:
        return [0]
    count = math.ceil((extent - side) / ((1 - _OVERLAP) * side)) + 1
    return [round(k * (extent - side) / (count - 1)) for k in range(count)]


def _slide(centre: float, side: int, extent: int) -> tuple[int, int]:
    """``side`` pixels around ``centre``, pushed into 0..extent; in steps of 16, to hold still as well."""
    if side >= extent:
        return 0, extent
    first = min(max(0, round((centre - side / 2) / 16) * 16), extent - side)
    return first, first + side

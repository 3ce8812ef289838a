"""Who is who within one run: by place, size and, in memory only, proportions of the face.

Nothing of it is written anywhere or outlives the run, and it tells people apart, it does not recognise them: of
eleven people filmed in motion, 5 % of single looks were further from their own median than the nearest stranger was.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.anchor import face_width

_LOOKS = 25
_MOST = 16
_SAME, _STRANGE = 1.6, 2.6
"""Distance of proportions, in their spread within one person: below the first it is the person wherever it sits, above
the second another one even in the same place."""
_PART = 0.2
_PLACE_NS = 10_000_000_000
"""How long a place is remembered."""

_EYES = (33, 133, 362, 263)  # outer and inner corner of the right eye, inner and outer of the left
_USED = [*_EYES, 1, 2, 10, 105, 129, 152, 168, 172, 234, 334, 358, 397, 454]
_SPREAD = np.array([0.010, 0.015, 0.021, 0.017, 0.041, 0.032, 0.021, 0.010, 0.010, 0.036])
"""Standard deviation of each proportion (log) within a person who speaks and moves."""


def proportions(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """(478, 2) -> (10,) logarithms of ratios of lengths in a face, in units of their spread within a person."""
    p = dict(zip(_USED, landmarks[_USED].astype(np.float64).tolist(), strict=True))

    def length(a: int, b: int) -> float:
        return math.dist(p[a], p[b])

    right, right_inner, left_inner, left = _EYES
    across, eyes, down = length(234, 454), length(right, left), length(10, 152)
    middle = [(a + b) / 2 for a, b in zip(p[right], p[left], strict=True)]
    ratios = (
        eyes / across,
        length(right_inner, left_inner) / eyes,
        length(129, 358) / eyes,  # wings of the nose
        down / across,
        length(168, 1) / down,  # bridge to tip
        math.dist(p[2], middle) / down,
        math.dist(p[10], middle) / down,
        length(172, 397) / across,  # jaw
        (length(right, right_inner) + length(left, left_inner)) / eyes,
        (length(105, right) + length(334, left)) / eyes,  # brows
    )
    return np.asarray(np.log(np.maximum(ratios, 1e-3)) / _SPREAD)


@dataclass
class _Person:
    number: int
    shapes: deque[NDArray[np.float64]] = field(default_factory=lambda: deque(maxlen=_LOOKS))
    looks: int = 0
    centre: NDArray[np.float32] = field(default_factory=lambda: np.zeros(2, np.float32))
    width: float = 1.0
    seen_ns: int = 0

    def away(self, shape: NDArray[np.float64]) -> float:
        middle = np.median(np.stack(self.shapes), axis=0)
        return float(np.sqrt(np.mean((shape - middle) ** 2)))

    def near(self, landmarks: NDArray[np.float32], t_ns: int) -> bool:
        moved = float(np.linalg.norm(landmarks.mean(axis=0) - self.centre)) / self.width
        grown = abs(float(np.log(face_width(landmarks) / self.width)))
        return t_ns - self.seen_ns < _PLACE_NS and moved < 0.7 and grown < 0.3


class People:
    """Everybody who was followed in a run, numbered from 1; at most the last sixteen are remembered."""

    def __init__(self) -> None:
        self._known: list[_Person] = []
        self._count = 0

    def mains(self, count: int) -> tuple[int, ...]:
        """Whom the run is about: the first ``count`` who were followed for some part of it."""
        most = max((person.looks for person in self._known), default=0)
        return tuple(person.number for person in self._known if person.looks >= _PART * most)[:count]

    def who(self, landmarks: NDArray[np.float32], t_ns: int) -> int:
        """The number of the person with this mesh (478, 2), frame px; 0 for a stranger."""
        shape = proportions(landmarks)
        found = []
        for person in self._known:
            away, near = person.away(shape), person.near(landmarks, t_ns)
            if away < (_STRANGE if near else _SAME):
                found.append((away - near, person.number))
        return min(found)[1] if found else 0

    def meet(self, landmarks: NDArray[np.float32], t_ns: int, number: int = 0) -> int:
        """Remember a look at person ``number``, or at a new one (0); returns the number."""
        person = next((p for p in self._known if p.number == number), None)
        if person is None:
            self._count += 1
            person = _Person(self._count)
            self._known = [*self._known, person][-_MOST:]
        person.shapes.append(proportions(landmarks))
        person.looks += 1
        person.centre, person.width = landmarks.mean(axis=0), max(1.0, face_width(landmarks))
        person.seen_ns = t_ns
        return person.number

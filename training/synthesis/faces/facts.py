"""What annotators of the real databases wrote down: which action units a class shows, how long they take.

Both tables are counts of published annotations, shipped beside this file; each says where it comes from.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.types import CLASSES
from mer_live.training.synthesis.faces.action_units import ACTION_UNITS

Combination = tuple[tuple[str, int], ...]
"""(side, action unit) pairs; the side is "L" or "R" of the subject, "" where both sides move."""


def _read(name: str) -> dict[str, Any]:
    text = (files(__package__) / name).read_text(encoding="utf-8")
    return dict(json.loads(text))


def published_combinations(label: str) -> dict[Combination, int]:
    """How many published micro-expressions of a class show which action units (DFME, CAS(ME)^3).

    Raises ValueError for an unknown class.
    """
    if label not in CLASSES:
        raise ValueError(f"label must be one of {sorted(CLASSES)}, got {label!r}")
    rows = _read("combinations.json")[label]
    return {
        tuple((c[0] if c[0] in "LR" else "", int(c.lstrip("LR"))) for c in codes.split("+")): int(count)
        for codes, count in rows.items()
    }


@cache
def _owners() -> dict[frozenset[int], str]:
    """Action units -> the class that shows them most often, sides ignored; a tie goes to the larger class."""
    most: dict[frozenset[int], tuple[float, int, str]] = {}
    for label in CLASSES:
        counts = published_combinations(label)
        clips: dict[frozenset[int], int] = {}
        for codes, count in counts.items():
            units = frozenset(unit for _, unit in codes)
            clips[units] = clips.get(units, 0) + count
        everybody = sum(counts.values())
        for units, count in clips.items():
            rank = (round(count / everybody, 3), everybody, label)  # equal to a clip in a thousand: a tie
            most[units] = max(rank, most.get(units, rank))
    return {units: label for units, (_, _, label) in most.items()}


@cache
def combinations(label: str) -> tuple[tuple[Combination, ...], NDArray[np.float64]]:
    """The combinations that are rendered for a class, and how often each is drawn (sums to 1).

    A label of the databases also rests on what the subject was shown and said: AU24 alone is found in 5 % of
    negative and of positive clips. Where no picture can decide, the combination is drawn for the class alone
    that shows it most often. One-sided AU12 stays in both that have it: a smile, and contempt. Units that are
    not in ACTION_UNITS are left out with their combination (2 % of the clips).
    """
    kept: dict[Combination, int] = {}
    for codes, count in published_combinations(label).items():
        units = frozenset(unit for _, unit in codes)
        contempt = label == "negative" and any(unit == 12 and side for side, unit in codes)
        if units <= ACTION_UNITS.keys() and (_owners()[units] == label or contempt):
            kept[codes] = count
    counts = np.array(list(kept.values()), np.float64)
    return tuple(kept), counts / counts.sum()


def draw_combination(label: str, rng: np.random.Generator) -> Combination:
    """Which action units move, on which sides, as often as published. Raises ValueError as above."""
    rows, share = combinations(label)
    return rows[int(rng.choice(len(rows), p=share))]


@cache
def durations() -> tuple[NDArray[np.int64], float]:
    """(counts, step in s): counts[i, j] published micro-expressions rise i and fall j steps or a bit more."""
    table = _read("durations.json")
    return np.array(table["counts"], np.int64), float(table["step_s"])


@cache
def _cells(longest_s: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    counts, step = durations()
    rise, fall = np.nonzero(counts)
    fits = (rise + fall) * step < longest_s - 1e-9
    cells = np.stack([rise[fits], fall[fits]], 1)
    weight = counts[cells[:, 0], cells[:, 1]].astype(np.float64)
    return cells, weight / weight.sum()


SHORTEST_S = 0.03
"""Of a rise or fall; the few annotations below it come from an apex marked on the first or last frame."""


def draw_duration(rng: np.random.Generator, longest_s: float = 0.5) -> tuple[float, float]:
    """Rise and fall (onset to apex, apex to offset), seconds, together at most ``longest_s``, as published.

    Raises ValueError where ``longest_s`` leaves no room for both.
    """
    if longest_s < 2 * SHORTEST_S:
        raise ValueError(f"longest_s must be at least {2 * SHORTEST_S} s, got {longest_s}")
    cells, share = _cells(longest_s)
    _, step = durations()
    while True:
        cell = cells[int(rng.choice(len(cells), p=share))]
        rise, fall = np.maximum((cell + rng.random(2)) * step, SHORTEST_S).tolist()
        if rise + fall <= longest_s:
            return rise, fall

"""What went on around a movement: how much each part of the face moved before, during and after it."""

from __future__ import annotations

from collections import deque

import numpy as np

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.spotter.signals import Array, History

GROUPS: tuple[tuple[str, ...], ...] = (
    ("brow", "glabella"),
    ("lid", "under_eye"),
    ("cheek", "nose"),
    ("mouth", "upper_lip"),
    ("jaw", "lower_lip", "chin"),
)
"""Parts of the face that move as one, top to bottom."""
NAMES = ("brow", "eye", "cheek", "mouth", "jaw")
"""What they are called in the names of features."""
MEAN_OF_GROUP: Array = np.array(
    [np.isin(np.arange(len(REGIONS)), region(*names)) / len(region(*names)) for names in GROUPS]
)
"""(G, R) takes the mean over each group's regions."""
_STEP_S = 0.04
_BEFORE_S, _NEAR_S, _AFTER_S = 1.0, 0.12, 0.5
_LEAST_PX = 0.02
_R = len(REGIONS)

AROUND: tuple[str, ...] = (
    *(f"{name}_{when}" for when in ("before", "during", "after") for name in NAMES),
    *(f"{name}_left_over" for name in NAMES),
    *(f"{name}_went" for name in NAMES),
    *(f"head_{when}" for when in ("before", "during", "after")),
    *(f"lid_{when}" for when in ("before", "during", "after")),
    *(f"speaking_{when}" for when in ("before", "during", "after")),
    *(
        "since",
        "rise",
        "fall",
        "others_before",
        "others_after",
        "log_odds",
        "age",
        "along_left",
        "along_wave",
    ),
)
"""Names of what `around` gives, unchanged when the face is mirrored."""


class Trail:
    """What was thought of the newest seconds: (time, value) pairs, bounded."""

    def __init__(self, length: int = 256) -> None:
        self._held: deque[tuple[int, float]] = deque(maxlen=length)

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()

    def add(self, t_ns: int, value: float) -> None:
        """Append a value."""
        self._held.append((t_ns, value))

    def between(self, first_ns: float, last_ns: float) -> list[float]:
        """Values of times in a span, oldest first."""
        return [v for t, v in self._held if first_ns <= t <= last_ns]


def _speeds(values: Array) -> Array:
    """(T, ROWS, 2) on a grid -> (G,) log of the mean speed of each group, px a grid step."""
    if len(values) < 2:
        return np.full(len(GROUPS), np.log(_LEAST_PX))
    steps = np.diff(values[:, :_R], axis=0)
    return np.asarray(np.log(MEAN_OF_GROUP @ np.hypot(steps[..., 0], steps[..., 1]).mean(0) + _LEAST_PX))


def around(
    history: History,
    span_ns: tuple[int, int, int],
    weights: Array,
    now_ns: int,
    speaking: Trail,
    others: Trail,
    log_odds: float,
    age_s: float,
) -> Array:
    """(len(AROUND),) what is known by now of the surroundings of one movement.

    Args:
        history: rows of `signals.History` that reach back a second before the onset, as far as the face does.
        span_ns: onset, apex and offset.
        weights: (2R,) beam of the movement: its product with displacements is px along its pattern.
        now_ns: time of the newest row.
        speaking: log odds of speaking, look by look.
        others: scores of other candidates at their apex times.
        log_odds: of the movement itself, from its course.
        age_s: since the face appeared.
    """
    onset, apex, offset = span_ns
    step = round(_STEP_S * 1e9)
    last = min(now_ns, offset + round(_AFTER_S * 1e9))
    spans = ((onset - round(_BEFORE_S * 1e9), onset), (onset, offset), (offset, last))
    parts = [history.sample(np.arange(a, b + 1, step, dtype=np.float64)) for a, b in spans]
    near = history.sample(onset - np.array([_NEAR_S, 0.5 * _NEAR_S, 0.0]) * 1e9).mean(0)
    settled_ns = min(round(_NEAR_S * 1e9), last - offset)
    end = history.sample(last - settled_ns * np.array([1.0, 0.5, 0.0])).mean(0)
    top = history.sample(np.array([float(apex)]))[0]
    left = end[:_R] - near[:_R]
    went = top[:_R] - near[:_R]
    height = abs(float(went.ravel() @ weights)) + 0.1
    course = parts[2][:, :_R].reshape(-1, 2 * _R) @ weights
    columns: list[float] = []
    for part in parts:
        columns += _speeds(part).tolist()
    columns += np.log(MEAN_OF_GROUP @ np.hypot(left[:, 0], left[:, 1]) + 0.1).tolist()
    columns += np.log(MEAN_OF_GROUP @ np.hypot(went[:, 0], went[:, 1]) + 0.1).tolist()
    for part in parts:
        steps = np.diff(part[:, _R], axis=0)
        columns.append(float(np.log(np.hypot(steps[:, 0], steps[:, 1]).max(initial=0.0) + 0.05)))
    columns += [min(float(part[:, -1, 0].max(initial=0.0)), 6.0) for part in parts]
    for a, b in spans:
        heard = speaking.between(a, b)
        columns.append(float(np.mean(heard)) if heard else 0.0)
    columns += [
        (last - offset) * 1e-9,
        (apex - onset) * 1e-8,
        (offset - apex) * 1e-8,
        sum(others.between(onset - 1.5e9, apex - 5e7)),
        sum(others.between(apex + 5e7, now_ns)),
        log_odds,
        min(age_s - (now_ns - onset) * 1e-9, 2.0),
        min(abs(float(left.ravel() @ weights)) / height, 3.0),
        min(float(np.ptp(course)) / height if len(course) else 0.0, 3.0),
    ]
    return np.array(columns)

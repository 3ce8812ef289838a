"""What went on around a movement: how much each part of the face moved before, during and after it."""

from __future__ import annotations

import math
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
_LAST = np.array([1.0, 0.5, 0.0])
_FLOORS_PX = np.array([_LEAST_PX, _LEAST_PX, _LEAST_PX, 0.1, 0.1])
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
        self._times: deque[int] = deque(maxlen=length)
        self._values: deque[float] = deque(maxlen=length)

    def clear(self) -> None:
        """Forget everything."""
        self._times.clear()
        self._values.clear()

    def add(self, t_ns: int, value: float) -> None:
        """Append a value."""
        self._times.append(t_ns)
        self._values.append(value)

    def between(self, first_ns: float, last_ns: float) -> list[float]:
        """Values of times in a span, oldest first."""
        times = np.fromiter(self._times, np.int64, len(self._times))
        inside = np.flatnonzero((times >= first_ns) & (times <= last_ns)).tolist()
        return [self._values[k] for k in inside]


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
    settled_ns = min(round(_NEAR_S * 1e9), last - offset)
    times = [np.arange(a, b + 1, step, dtype=np.float64) for a, b in spans]
    times += [onset - _NEAR_S * 1e9 * _LAST, last - settled_ns * _LAST, np.array([float(apex)])]
    ends = np.cumsum([len(one) for one in times])[:-1]
    *parts, near, end, top = np.split(history.sample(np.concatenate(times)), ends)
    start = near[:, :_R].mean(0)
    left, went = end[:, :_R].mean(0) - start, top[0, :_R] - start
    height = abs(float(went.ravel() @ weights)) + 0.1
    course = parts[2][:, :_R].reshape(-1, 2 * _R) @ weights
    moved = np.zeros((_R, len(parts) + 2))
    """Of each region: its mean speed in each part, px a grid step, what is left at the end, how far it went."""
    heads = []
    for k, part in enumerate(parts):
        steps = part[1:, : _R + 1] - part[:-1, : _R + 1]
        speeds = np.hypot(steps[..., 0], steps[..., 1])
        moved[:, k] = speeds[:, :_R].sum(0) / max(1, len(speeds))
        heads.append(math.log(speeds[:, _R].max(initial=0.0) + 0.05))
    moved[:, -2] = np.hypot(left[:, 0], left[:, 1])
    moved[:, -1] = np.hypot(went[:, 0], went[:, 1])
    columns: list[float] = np.log((MEAN_OF_GROUP @ moved + _FLOORS_PX).T).ravel().tolist()
    columns += heads
    columns += [min(float(part[:, -1, 0].max(initial=0.0)), 6.0) for part in parts]
    for a, b in spans:
        heard = speaking.between(a, b)
        columns.append(sum(heard) / len(heard) if heard else 0.0)
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

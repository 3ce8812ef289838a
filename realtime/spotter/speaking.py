"""Does the face speak? A causal estimate from rhythm and coherence of jaw and lips over the last second.

An expression is one movement, speech is many: what counts is how often jaw and lips turn round, how much they go
together, and how much they move beside the rest of the face. FACS calls it AU 50.
"""

from __future__ import annotations

import math

import numpy as np

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.spotter.signals import Array

_R = len(REGIONS)
_TRACES = ("chin", "opening", "upper_lip", "width", "corners", "jaw", "cheek", "brow")
_OPENING, _WIDTH = _TRACES.index("opening"), _TRACES.index("width")
_OPEN_WIDE = np.array([_OPENING, _WIDTH])
_LEAST_PX = 0.03
_TURN_PX = 0.5
"""A trace has turned round when it has come back by that much and by a fifth of its range."""

SPEECH: tuple[str, ...] = (
    *(f"{name}_speed" for name in _TRACES),
    *(f"{name}_late" for name in ("chin", "opening", "width")),
    *("opening_bend", "width_bend", "opening_turns", "width_turns", "opening_range", "width_range"),
    *("lips_together", "jaw_together", "head_speed", "lid"),
)
"""Names of what `features` gives, unchanged when the face is mirrored."""


def _taken() -> Array:
    """(len(_TRACES), 2R) displacements -> traces, px; down and outward are positive."""
    made = np.zeros((len(_TRACES), _R, 2))

    def add(trace: str, names: str, axis: int, sign: float) -> None:
        rows = region(names)
        made[_TRACES.index(trace), rows, axis] += sign / len(rows)

    for trace, names in (("chin", "chin"), ("upper_lip", "upper_lip"), ("corners", "mouth"), ("jaw", "jaw")):
        add(trace, names, 1, 1.0)
    add("cheek", "cheek", 1, 1.0)
    add("brow", "brow", 1, 1.0)
    add("opening", "lower_lip", 1, 1.0)
    add("opening", "upper_lip", 1, -1.0)
    add("width", "mouth_left", 0, 1.0)
    add("width", "mouth_right", 0, -1.0)
    return made.reshape(len(_TRACES), -1)


_TAKEN = _taken()


def _turns(trace: list[float]) -> int:
    """How often a trace turned round, in one walk."""
    least = max(_TURN_PX, 0.2 * (max(trace) - min(trace)))
    low = high = trace[0]
    way = count = 0
    for x in trace:
        low, high = min(low, x), max(high, x)
        if way >= 0 and high - x > least:
            count += way > 0
            way, low = -1, x
        elif way <= 0 and x - low > least:
            count += way < 0
            way, high = 1, x
    return count


def features(window: Array) -> Array:
    """(len(SPEECH),) of a (L, ROWS, 2) window on the 40 ms grid, newest row last."""
    traces = window[:, :_R].reshape(len(window), -1) @ _TAKEN.T  # (L, 8)
    steps = traces[1:] - traces[:-1]
    bend = steps[1:, _OPEN_WIDE] - steps[:-1, _OPEN_WIDE]
    spread = _size(steps)
    lips, jaw = (steps[:, pair] / (spread[pair] + _LEAST_PX) for pair in ([2, _OPENING], [0, 5]))
    head = window[1:, _R] - window[:-1, _R]
    opening, width = (traces[:, k].tolist() for k in _OPEN_WIDE)
    speeds = np.concatenate([spread, _size(steps[-8:, [0, _OPENING, _WIDTH]]), _size(bend)])
    return np.concatenate(
        [
            np.log(speeds + _LEAST_PX),
            [
                _turns(opening),
                _turns(width),
                math.log(max(opening) - min(opening) + 0.1),
                math.log(max(width) - min(width) + 0.1),
                float(lips[:, 0] @ lips[:, 1]) / len(steps),
                float(jaw[:, 0] @ jaw[:, 1]) / len(steps),
                math.log(float(np.hypot(head[:, 0], head[:, 1]).mean()) + 0.05),
                min(float(window[-14:, -1, 0].max()), 6.0),
            ],
        ]
    )


def _size(steps: Array) -> Array:
    """(T, n) -> (n,) root mean square over time."""
    return np.asarray(np.sqrt(np.einsum("tn,tn->n", steps, steps) / len(steps)))

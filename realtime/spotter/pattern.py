"""Which way each part of the face went in one movement, and how well its own course follows that movement's."""

from __future__ import annotations

import numpy as np

from mer_live.realtime.motion.regions import MIRROR, REGIONS
from mer_live.realtime.spotter.context import MEAN_OF_GROUP, NAMES
from mer_live.realtime.spotter.pulses import raised_cosine
from mer_live.realtime.spotter.signals import Array, History

_LEAD_NS = 130_000_000
_LEAST_PX = 0.05
_R = len(REGIONS)
_RIGHT = [k for k in range(_R) if MIRROR[k] > k]
_LEFT = [MIRROR[k] for k in _RIGHT]
_MIDDLE = [k for k in range(_R) if MIRROR[k] == k]
_SIDES = [REGIONS[k].removesuffix("_right") for k in _RIGHT]

PATTERN: tuple[str, ...] = (
    *(f"{name}_{way}" for way in ("down", "out", "uneven", "shifted") for name in _SIDES),
    *(f"{REGIONS[k]}_{way}" for way in ("down", "shifted") for k in _MIDDLE),
    *(f"{name}_follows" for name in NAMES),
)
"""Names of what `pattern` gives, unchanged when the face is mirrored."""


def pattern(history: History, span_ns: tuple[int, int, int]) -> Array:
    """(len(PATTERN),) from fitting a raised cosine, a level and a drift to every region's displacement.

    The displacements that go with the movement, of unit length together: down and outward as both sides do it, the
    difference of the sides without its sign. Then, group by group, the log of what goes with the movement against
    what does not, px.
    """
    onset, apex, offset = span_ns
    rows = history.since(onset - _LEAD_NS)
    times = history.times(rows)
    used = times <= offset + 20_000_000
    seconds: Array = (times[used] - apex).astype(np.float64) * 1e-9
    values = history.values(rows)[used, :_R].reshape(len(seconds), -1)
    course = raised_cosine(-seconds, (apex - onset) * 1e-9, 0.0, (apex - offset) * 1e-9)
    columns = np.ones((len(seconds), 3))
    columns[:, 0], columns[:, 2] = course, seconds
    fitted = np.linalg.lstsq(columns, values, rcond=1e-6)[0]  # (3, 2R)
    left = values - columns @ fitted
    rest = np.einsum("tk,tk->k", left, left).reshape(_R, 2).sum(1) / len(seconds)
    went = fitted[0].reshape(_R, 2)
    unit = went / (np.sqrt(np.square(went).sum()) + _LEAST_PX)
    right, left, middle = unit[_RIGHT], unit[_LEFT], unit[_MIDDLE]
    by_group = MEAN_OF_GROUP @ np.square(went).sum(1)
    return np.concatenate(
        [
            right[:, 1] + left[:, 1],
            left[:, 0] - right[:, 0],
            np.abs(right[:, 1] - left[:, 1]),
            np.abs(right[:, 0] + left[:, 0]),
            middle[:, 1],
            np.abs(middle[:, 0]),
            0.5 * np.log((by_group + _LEAST_PX**2) / (MEAN_OF_GROUP @ rest + _LEAST_PX**2)),
        ]
    )

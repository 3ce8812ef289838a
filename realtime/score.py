"""What a candidate looked like, as numbers, and how likely that is a micro-expression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mer_live.realtime.candidate import Shape
from mer_live.realtime.regions import REGIONS, region
from mer_live.realtime.signals import Array

GROUPS: dict[str, list[int]] = {
    "brow": region("brow", "glabella"),
    "eye": region("lid", "under_eye"),
    "cheek": region("cheek", "nose"),
    "mouth": region("mouth", "upper_lip", "lower_lip", "jaw", "chin"),
}
"""Parts of the face that are watched apart: a brow may twitch while the mouth talks."""

_PAIRS = {
    name: (REGIONS.index(f"{name}_right"), REGIONS.index(f"{name}_left"))
    for name in ("brow_inner", "brow_outer", "lid", "under_eye", "cheek", "nose", "mouth", "jaw")
}
_MIDDLE = {name: REGIONS.index(name) for name in ("glabella", "upper_lip", "lower_lip", "chin")}

APEX_FEATURES: tuple[str, ...] = (
    *(f"group_{name}" for name in GROUPS),
    *(f"{name}_down" for name in _PAIRS),
    *(f"{name}_out" for name in _PAIRS),
    *(f"{name}_uneven" for name in _PAIRS),
    *(f"{name}_down" for name in _MIDDLE),
    *(f"{name}_share" for name in GROUPS),
    *(f"{name}_unrest" for name in GROUPS),
    *("size", "clear", "over_unrest", "rise", "drop", "lid_texture", "texture", "head_speed", "step", "age"),
)
OFFSET_FEATURES: tuple[str, ...] = (*APEX_FEATURES, "fall", "length", "rest", "left_over", "head_speed_after")


@dataclass(frozen=True, slots=True)
class Context:
    """The circumstances of a candidate."""

    group: str
    moved: Array
    """(R, 2) displacement of every region at the apex against the onset, px."""
    unrest: Array
    """(R,) px, as it was when the candidate began."""
    texture: Array
    """(R,) largest texture difference of the candidate's time."""
    head_speed: float
    """Head motion since the onset, px per second, root mean square."""
    step_s: float
    """Between two frames."""
    age_s: float
    """Since the last re-anchoring of the crop."""


def _log(value: float, floor: float) -> float:
    return float(np.log(max(value, floor)))


def apex_features(shape: Shape, c: Context) -> Array:
    """(len(APEX_FEATURES),) numbers, unchanged when the face is mirrored."""
    norm = np.hypot(c.moved[:, 0], c.moved[:, 1])
    size = max(float(norm.max()), 1e-3)
    unit = c.moved / size
    own = GROUPS[c.group]
    own_size = float(norm[own].max())
    down, out, uneven = [], [], []
    for right, left in _PAIRS.values():
        down.append(0.5 * (unit[right, 1] + unit[left, 1]))
        out.append(0.5 * (unit[left, 0] - unit[right, 0]))
        uneven.append(float(np.hypot(unit[right, 0] + unit[left, 0], unit[right, 1] - unit[left, 1])))
    return np.array(
        [
            *(float(name == c.group) for name in GROUPS),
            *down,
            *out,
            *uneven,
            *(unit[k, 1] for k in _MIDDLE.values()),
            *(float(norm[rows].max()) / size for rows in GROUPS.values()),
            *(_log(float(c.unrest[rows].max()), 0.03) for rows in GROUPS.values()),
            _log(own_size, 0.05),
            _log(shape.amplitude, 0.5),
            _log(own_size / max(float(c.unrest[own].max()), 0.05), 0.05),
            _log((shape.apex_ns - shape.onset_ns) * 1e-9, 0.02),
            1.0 - shape.rest,
            _log(float(c.texture[GROUPS["eye"][:2]].max()) / max(float(np.median(c.texture)), 0.5), 0.2),
            _log(float(np.median(c.texture)), 0.5),
            _log(c.head_speed, 1.0),
            _log(c.step_s, 0.002),
            min(c.age_s, 1.0),
        ]
    )


def offset_features(shape: Shape, apex: Array, left_over: float, head_speed: float) -> Array:
    """(len(OFFSET_FEATURES),): the apex's features and the fall's.

    ``left_over``: what is left of the whole face's displacement at the offset, relative to the apex.
    """
    assert shape.offset_ns is not None
    fall = (shape.offset_ns - shape.apex_ns) * 1e-9
    length = (shape.offset_ns - shape.onset_ns) * 1e-9
    tail = [_log(fall, 0.02), _log(length, 0.04), shape.rest, min(left_over, 2.0), _log(head_speed, 1.0)]
    return np.concatenate([apex, tail])


class Scorer:
    """Candidate features -> probability of a micro-expression."""

    @classmethod
    def load(cls) -> Scorer:
        """The shipped coefficients."""
        return cls()

    def apex(self, features: Array) -> float:
        """Probability at the apex."""
        return self._hand(features, APEX_FEATURES)

    def offset(self, features: Array) -> float:
        """Probability at the offset."""
        return self._hand(features, OFFSET_FEATURES)

    def reason(self, features: Array) -> str:
        """Why a candidate with these features is none."""
        return "unlikely course"

    def _hand(self, features: Array, names: tuple[str, ...]) -> float:
        f = dict(zip(names, features, strict=True))
        x = 1.2 * (f["clear"] - np.log(6.0)) + 1.0 * (f["over_unrest"] - np.log(3.0))
        x -= 2.0 * max(0.0, f["size"] - np.log(4.0)) + 2.0 * f["group_eye"]
        x -= 1.0 * max(0.0, f["lid_texture"] - np.log(2.0)) * 2
        x -= 1.0 * max(0.0, f["head_speed"] - np.log(15.0))
        return float(1 / (1 + np.exp(-x)))

"""What a candidate looked like, as numbers, and how likely that is a micro-expression."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.realtime.candidate import Shape
from mer_live.realtime.regions import REGIONS, region
from mer_live.realtime.signals import Array

COEFFICIENTS = Path(__file__).parent / "models" / "spotter.json"

GROUPS: dict[str, list[int]] = {
    "brow": region("brow", "glabella"),
    "lid": region("lid"),
    "under_eye": region("under_eye"),
    "cheek": region("cheek"),
    "nose": region("nose"),
    "mouth": region("mouth", "upper_lip"),
    "jaw": region("lower_lip", "jaw", "chin"),
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
    *("size", "clear", "over_unrest", "rise", "drop", "lid_texture", "texture", "step", "age"),
    *("head_speed", "head_moved", "before", "misfit", "one_pattern"),
)
OFFSET_FEATURES: tuple[str, ...] = (
    *APEX_FEATURES,
    *("fall", "length", "rest", "left_over", "head_speed_after", "head_moved_after", "misfit_after"),
    "one_pattern_after",
)


_SIZE = APEX_FEATURES.index("size")
_SHARES = slice(APEX_FEATURES.index("brow_share"), APEX_FEATURES.index("brow_share") + len(GROUPS))
_LENGTH = OFFSET_FEATURES.index("length")


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
    head_moved: float
    """Largest distance of the head from where it was at the onset, px."""
    before: float
    """Root mean square along the candidate's direction in the 0.2 s before the onset; the apex is 1."""
    misfit: float
    """Root mean square difference from a raised cosine between onset and apex; the apex is 1."""
    one_pattern: float
    """Part of the whole face's displacement since the onset that one pattern, waxing and waning, explains."""


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
            _log(float(c.texture[GROUPS["lid"]].max()) / max(float(np.median(c.texture)), 0.5), 0.2),
            _log(float(np.median(c.texture)), 0.5),
            _log(c.step_s, 0.002),
            min(c.age_s, 1.0),
            _log(c.head_speed, 1.0),
            _log(c.head_moved, 0.1),
            min(c.before, 2.0),
            min(c.misfit, 1.0),
            c.one_pattern,
        ]
    )


@dataclass(frozen=True, slots=True)
class Return:
    """What the fall adds."""

    left_over: float
    """What is left of the whole face's displacement at the offset, relative to the apex."""
    head_speed: float
    head_moved: float
    misfit: float
    one_pattern: float
    """As in Context, over the whole candidate."""


def offset_features(shape: Shape, apex: Array, r: Return) -> Array:
    """(len(OFFSET_FEATURES),): the apex's features and the fall's."""
    assert shape.offset_ns is not None
    fall = (shape.offset_ns - shape.apex_ns) * 1e-9
    length = (shape.offset_ns - shape.onset_ns) * 1e-9
    tail = [_log(fall, 0.02), _log(length, 0.04), shape.rest, min(r.left_over, 2.0)]
    tail += [_log(r.head_speed, 1.0), _log(r.head_moved, 0.1), min(r.misfit, 1.0), r.one_pattern]
    return np.concatenate([apex, tail])


def gate(features: Array, largest_px: float, longest_s: float) -> str:
    """Why a candidate can be no micro-expression whatever its score; '' if it can.

    ``features`` are an apex's or an offset's; the size is that of the largest movement of any region.
    """
    own = float(np.exp(features[_SIZE]))
    shares = features[_SHARES]
    if own / max(float(shares @ features[: len(GROUPS)]), 1e-3) > largest_px:
        return "too large"
    if len(features) == len(OFFSET_FEATURES) and float(np.exp(features[_LENGTH])) > longest_s:
        return "too long"
    return ""


def pattern_share(moved: Array) -> float:
    """Part of the energy of (T, R, 2) displacements that their first principal pattern holds."""
    flat = moved.reshape(len(moved), -1)
    gram = flat @ flat.T if len(flat) < flat.shape[1] else flat.T @ flat
    total = float(np.trace(gram))
    return float(np.linalg.eigvalsh(gram)[-1]) / total if total > 1e-9 else 1.0


@dataclass(frozen=True, slots=True)
class _Net:
    """One hidden layer: p = sigmoid(w2 . tanh(W1 ((x - mean) / scale) + b1) + b2)."""

    mean: Array
    scale: Array
    w1: Array
    b1: Array
    w2: Array
    b2: float

    def __call__(self, features: Array) -> float:
        """Probability."""
        x = np.clip((features - self.mean) / self.scale, -6.0, 6.0)
        value = float(np.tanh(x @ self.w1 + self.b1) @ self.w2) + self.b2
        return float(1.0 / (1.0 + np.exp(-np.clip(value, -30.0, 30.0))))


class Scorer:
    """Candidate features -> calibrated probability of a micro-expression.

    Two small networks, one for the apex, one for the offset, made by ``mer-bench fit-spotter`` (which needs
    the ``train`` extra) and kept as JSON beside the face model.

    Raises:
        ValueError: the file's features are not this version's.
    """

    def __init__(self, nets: dict[str, dict[str, Any]]) -> None:
        wanted = {"apex": APEX_FEATURES, "offset": OFFSET_FEATURES}
        self._nets = {}
        for phase, names in wanted.items():
            net = nets[phase]
            if tuple(net["features"]) != names:
                raise ValueError(f"the spotter's {phase} network was made for other features: refit it")
            arrays = {key: np.array(net[key], np.float64) for key in ("mean", "scale", "w1", "b1", "w2")}
            self._nets[phase] = _Net(**arrays, b2=float(net["b2"]))

    @classmethod
    def load(cls, path: Path = COEFFICIENTS) -> Scorer:
        """The shipped coefficients."""
        return cls(json.loads(path.read_text(encoding="utf-8"))["networks"])

    def apex(self, features: Array) -> float:
        """Probability when the movement has just turned back."""
        return self._nets["apex"](features)

    def offset(self, features: Array) -> float:
        """Probability when the movement has ended."""
        return self._nets["offset"](features)

    @staticmethod
    def reason(features: Array) -> str:
        """The most conspicuous thing about a candidate that was announced and then refused."""
        f = dict(zip(OFFSET_FEATURES, features, strict=True))
        if f["lid_share"] > 0.6 and f["lid_texture"] > np.log(1.6):
            return "blink"
        if f["head_moved_after"] > np.log(2.0) or f["head_speed_after"] > np.log(25.0):
            return "head moved"
        if f["left_over"] > 0.5:
            return "did not return"
        if f["mouth_unrest"] > np.log(1.0) or f["jaw_unrest"] > np.log(1.5):
            return "talking"
        return "unlikely course"

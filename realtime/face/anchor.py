"""When the crop holds still and when it follows the head: a pure state machine over landmarks."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.crop import CHIN, CROP_SIZE, FOREHEAD, LEFT_EAR, RIGHT_EAR, crop_warp

STABLE_POINTS: tuple[int, ...] = (
    *(33, 133, 362, 263),  # eye corners
    *(168, 6, 197, 195),  # bridge of the nose
    *(10, 109, 67, 103, 54, 21, 162, 127, 234, 93),  # face oval above the jaw, the subject's right
    *(338, 297, 332, 284, 251, 389, 356, 454, 323),  # and left
)
"""Mesh points that the skull carries; brows, lids, cheeks, mouth and jaw are not to be followed."""


@dataclass(frozen=True, slots=True)
class AnchorConfig:
    """How far the head may move before the crop follows. Lengths are in face widths (ear to ear)."""

    shift: float = 0.04
    """Translation of the skull's points."""
    scale: float = 0.05
    """Relative change of size."""
    roll_rad: float = math.radians(4)
    """In-plane rotation."""
    turn: float = 0.025
    """Root mean square of what no similarity explains: the head turned out of the plane."""
    settle_per_s: float = 7.0
    """The head rests when it moves slower than this many thresholds a second."""
    far: float = 2.5
    """At this multiple of the thresholds the crop follows a head that is still moving."""
    leaving: float = 5.0
    """At this multiple the crop follows at once, whatever ``dwell_ns`` says."""
    dwell_ns: int = 250_000_000
    """At least this long between two anchorings."""
    hold_ns: int = 200_000_000
    """A face that was lost for less than this keeps its crop."""
    smooth: int = 3
    """Landmarks that the median is taken over."""


@dataclass(frozen=True, slots=True)
class Pose:
    """A similarity, and what it leaves over, between two sets of points in the plane."""

    shift: float
    """Distance that the points' centre moved, in units of the points."""
    scale: float
    """Size now over size then."""
    roll_rad: float
    residual: float
    """Root mean square distance that remains, in units of the points."""


def fit_pose(before: NDArray[np.float32], now: NDArray[np.float32]) -> Pose:
    """Least-squares similarity between two (N, 2) point sets (complex-number form of Procrustes)."""
    a = before[:, 0].astype(np.float64) + 1j * before[:, 1]
    b = now[:, 0].astype(np.float64) + 1j * now[:, 1]
    centre_a, centre_b = a.mean(), b.mean()
    a, b = a - centre_a, b - centre_b
    ratio = np.vdot(a, b) / np.vdot(a, a).real
    residual = np.sqrt(np.mean(np.abs(b - ratio * a) ** 2))
    return Pose(float(abs(centre_b - centre_a)), float(abs(ratio)), float(np.angle(ratio)), float(residual))


def face_width(landmarks: NDArray[np.float32]) -> float:
    """Ear to ear, pixels; of a head turned aside, 0.8 of forehead to chin where that is more."""
    left, right, chin, forehead = landmarks[[LEFT_EAR, RIGHT_EAR, CHIN, FOREHEAD]].tolist()
    return max(math.dist(left, right), 0.8 * math.dist(chin, forehead))


class AnchorPolicy:
    """Holds one warp until the head has really moved.

    Each call of `seen` brings new landmarks of the tracked face, `lost` tells that it was not found. The
    median of the last three decides. A head past the thresholds gets a new warp once it rests again, so that
    one turn of the head costs one anchoring, or while it moves where it would leave the square.
    """

    def __init__(self, config: AnchorConfig | None = None, size: int = CROP_SIZE) -> None:
        self.config = config or AnchorConfig()
        self.size = size
        self.anchor = 0
        """Number of anchorings so far."""
        self.warp: NDArray[np.float32] | None = None
        """(2, 3), or None without a face."""
        self.landmarks: NDArray[np.float32] | None = None
        """(478, 2) frame pixels, smoothed, as they were at the anchoring."""
        self._recent: deque[NDArray[np.float32]] = deque(maxlen=self.config.smooth)
        self._previous: NDArray[np.float32] | None = None
        self._anchored_ns = 0
        self._seen_ns = 0

    def seen(self, landmarks: NDArray[np.float32], t_ns: int) -> bool:
        """Take the landmarks of the frame at ``t_ns``; True when the warp changed."""
        self._recent.append(landmarks)
        elapsed_s, self._seen_ns = (t_ns - self._seen_ns) / 1e9, t_ns
        if len(self._recent) == 3:
            a, b, c = self._recent
            smoothed = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
        else:
            smoothed = np.asarray(np.median(np.stack(self._recent), axis=0), np.float32)
        previous, self._previous = self._previous, smoothed
        if self.landmarks is None or previous is None:
            return self._set(smoothed, t_ns)
        moved = self._excess(self.landmarks, smoothed)
        if moved <= 1:
            return False
        waited = t_ns - self._anchored_ns >= self.config.dwell_ns
        if moved > self.config.leaving or (waited and moved > self.config.far):
            return self._set(landmarks, t_ns)  # still moving: the median is one step behind
        if waited and self._excess(previous, smoothed) <= self.config.settle_per_s * elapsed_s:
            return self._set(smoothed, t_ns)
        return False

    def lost(self, t_ns: int) -> bool:
        """The face was not found at ``t_ns``; True when it has been gone too long and the warp is dropped."""
        if self.warp is None or t_ns - self._seen_ns < self.config.hold_ns:
            return False
        self.drop()
        return True

    def drop(self) -> None:
        """Forget the face; the next landmarks anchor anew."""
        self.warp = self.landmarks = self._previous = None
        self._recent.clear()

    def _set(self, landmarks: NDArray[np.float32], t_ns: int) -> bool:
        self.warp = crop_warp(landmarks, self.size)
        self.landmarks = landmarks
        self._anchored_ns = t_ns
        self.anchor += 1
        return True

    def _excess(self, before: NDArray[np.float32], now: NDArray[np.float32]) -> float:
        """Largest movement in units of its threshold."""
        c, width = self.config, face_width(before)
        points = list(STABLE_POINTS)
        pose = fit_pose(before[points], now[points])
        return max(
            pose.shift / width / c.shift,
            abs(math.log(pose.scale)) / c.scale,
            abs(pose.roll_rad) / c.roll_rad,
            pose.residual / width / c.turn,
        )

"""Face crops in, per-region displacements out: points tracked from a reference crop, head motion removed.

Displacement is measured against a reference crop up to a second old, not summed up from frame to frame, so
it does not integrate noise. Windows of 15 px are aligned by Lucas-Kanade (Bouguet's form in OpenCV), started
from the last displacement plus a dense flow (stage.py). On 1 px bumps of 10-18 px width
in noisy crops this gives 0.9-1.0 of the true displacement, DIS at 112 px 0.15-0.3 (it smooths them away).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.motion_image import resize_gray
from mer_live.engines.representation.specs import AdmSpec
from mer_live.realtime.motion.cpu import CpuStage
from mer_live.realtime.motion.head_fit import HeadFit
from mer_live.realtime.motion.picture import Picture
from mer_live.realtime.motion.regions import ONCE, PADDED, REGIONS, STABLE, points_of
from mer_live.realtime.motion.stage import FlowSpec, OpenStage
from mer_live.realtime.types import FaceCrop, Motion

Array = NDArray[np.float64]

_SMALL_PX = 112
"""Side of the crops by which the picture is judged."""
_WINDOW = (15, 15)
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 6, 0.02)
_GAP_NS = 300_000_000
"""After a longer gap without a face the measurement starts anew."""
_MIN_AGE_NS, _MAX_AGE_NS = 600_000_000, 2_000_000_000
"""A quiet reference is renewed after the first, any reference after the second."""
_K = PADDED.shape[1]
_QUIET_PX = 0.25
_FAR_PX = 7.0
"""Displacement of the head beyond which windows no longer look alike, and the reference is renewed."""
_LOST = 0.35
_BAD_ERROR = 22.0
"""Mean absolute gray difference of an aligned window above which the point is taken for lost."""
_BAD_JUMP_PX = 6.0
_SPREAD_PX = 0.7
"""Distance from the region's median at which a point counts half."""


class _Reference:
    """The crop that displacements are measured against, and what is computed from it once."""

    def __init__(self, gray: NDArray[np.uint8], t_ns: int, points: NDArray[np.float32]) -> None:
        self.gray = gray
        self.t_ns = t_ns
        self.points = points
        self.mean, self.std = _brightness(gray)
        corners = cv2.cornerMinEigenVal(gray, 15, 3)
        at = np.rint(points).astype(np.intp)
        strength = corners[at[:, 1], at[:, 0]].astype(np.float64) / max(1e-12, (self.std / 255.0) ** 2)
        # Points without texture measure nothing; the median of a face is about 0.02 in this unit.
        self.quality: Array = strength / (strength + 0.004) + 0.02
        self.head = HeadFit(points, gray.shape[0])


def _shares(residual: Array, weight: Array) -> Array:
    """(R, K) part of each of a region's points in its mean: trusted points near its median count."""
    own = residual[PADDED]  # (R, K, 2)
    ranked = np.sort(own, axis=1)
    middle = 0.5 * (ranked[:, (_K - 1) // 2] + ranked[:, _K // 2])  # (R, 2)
    away = own - middle[:, None]
    trusted = weight[PADDED] * ONCE / (1.0 + np.einsum("rkc,rkc->rk", away, away) / _SPREAD_PX**2)
    return np.asarray(trusted / np.maximum(trusted.sum(1, keepdims=True), 1e-9))


def _brightness(gray: NDArray[np.uint8]) -> tuple[float, float]:
    mean, std = cv2.meanStdDev(np.ascontiguousarray(gray[::4, ::4]))
    return float(mean[0, 0]), max(1.0, float(std[0, 0]))


class MotionMeter:
    """Turns one stream's crops into Motion; holds two crops and nothing that grows.

    Displacements are continuous over renewals of the reference and over re-anchorings of the crop (the
    reference is warped into the new crop), so one movement can be followed across them. They start at zero
    with the first crop and after a gap of 0.3 s.

    Args:
        size: S, side of the crops, pixels.
        adm: the ADM rows to make for the bundles, whose cards name them; None makes none. They change nothing
            of what is measured.
        flow: where the tracker starts; the spotter's coefficients were fitted with it.
        stage: makes what computes flow and rows.

    Raises:
        ValueError: a crop of another size, or time that runs backwards.
    """

    def __init__(
        self,
        size: int = 224,
        adm: AdmSpec | None = None,
        flow: FlowSpec | None = None,
        stage: OpenStage = CpuStage,
    ) -> None:
        self.size = size
        self.picture = Picture()
        """What the picture does of itself."""
        self.unusable = 0
        """Frames whose measurement was no number; the last one stood in for it."""
        self._motion: Motion | None = None
        self._stage = stage(size, flow or FlowSpec(), adm)
        self._small = np.zeros((_SMALL_PX, _SMALL_PX), np.uint8)
        self._ref: _Reference | None = None
        self._moved = np.zeros((len(STABLE), 2))  # (P, 2) reference -> newest crop, px
        self._last = np.zeros((len(REGIONS), 2))
        self._carry = np.zeros((len(REGIONS), 2))
        self._slow = np.zeros((len(REGIONS), 2))
        self._head = np.zeros(4)
        self._theta = np.zeros(6)
        self._rigid = np.zeros((len(STABLE), 2))  # (P, 2) the part of `_moved` that is head motion
        self._t_ns = 0
        self._anchor = -1
        self._warp = np.zeros((2, 3), np.float32)

    def restart(self) -> None:
        """Measure the next crop as the first one."""
        self._ref = None

    def later(self, do: Callable[[], None]) -> threading.Event | None:
        """Call ``do`` once every ADM row so far has its numbers; see `MotionStage`."""
        return self._stage.later(do)

    def close(self) -> None:
        """Free the motion stage; a second call does nothing."""
        self._stage.close()

    def update(self, crop: FaceCrop) -> Motion:
        """Measure one crop; crops come in order of time."""
        if crop.gray.shape != (self.size, self.size):
            raise ValueError(f"this meter is for crops of {self.size} px, got {crop.gray.shape}")
        if self._ref is not None and crop.t_ns <= self._t_ns:
            raise ValueError(f"crops must come in order of time: {crop.t_ns} after {self._t_ns} ns")
        if self._ref is None or crop.t_ns - self._t_ns > _GAP_NS:
            return self._start(crop)
        small = resize_gray(crop.gray, _SMALL_PX)
        if crop.anchor != self._anchor:
            self._reanchor(crop)
        elif self.picture.add(crop.t_ns, self._small, small):
            return self._again(crop)
        elif self.picture.renewed:
            np.copyto(self._small, small)
            return self._again(crop)
        start = self._ref.points + self._moved
        moved = self._stage.step(crop.gray, start.astype(np.float32))
        residual, error, weight = self._track(crop.gray, start + moved)
        adm = self._stage.row()
        share = _shares(residual, weight)
        displacement = self._carry + np.einsum("rk,rkc->rc", share, residual[PADDED])
        texture = np.einsum("rk,rk->r", share, error[PADDED])
        if not np.isfinite(displacement.sum() + texture.sum() + self._theta.sum()):
            self.unusable += 1
            self._remember(crop, small)
            self._renew(crop, points_of(crop.landmarks, self.size))
            return self._again(crop)
        speed = displacement - self._last
        dt_s = (crop.t_ns - self._t_ns) * 1e-9
        self._slow += (displacement - self._slow) * (1.0 - math.exp(-dt_s / 0.12))
        self._last = displacement
        theta = self._theta
        motion = self._motion = Motion(
            index=crop.index,
            t_ns=crop.t_ns,
            anchor=crop.anchor,
            regions=displacement.astype(np.float32),
            speed=speed.astype(np.float32),
            texture=texture.astype(np.float32),
            head=(self._head + self._ref.head.head(theta)).astype(np.float32),
            adm=adm,
        )
        self._remember(crop, small)
        if self._stale(crop.t_ns, weight):
            self._head = self._head + self._ref.head.head(theta)
            # The points ride on the head, so that they stay on their features between anchorings.
            points = (self._ref.points + self._rigid).astype(np.float32)
            self._renew(crop, np.clip(points, 8, self.size - 9))
        return motion

    def _again(self, crop: FaceCrop) -> Motion:
        """The last motion for a frame that shows nothing new, or nothing that can be measured."""
        last = self._motion
        assert last is not None
        self._t_ns = crop.t_ns
        return replace(
            last,
            index=crop.index,
            t_ns=crop.t_ns,
            anchor=crop.anchor,
            speed=np.zeros_like(last.speed),
            adm=None,
            repeated=self.picture.repeated or self.picture.renewed,
        )

    def _start(self, crop: FaceCrop) -> Motion:
        for array in (self._carry, self._last, self._slow, self._head):
            array[...] = 0.0
        self._stage.restart(crop.gray)
        self._remember(crop, resize_gray(crop.gray, _SMALL_PX))
        self.picture.clear()
        self._renew(crop, points_of(crop.landmarks, self.size))
        regions = np.zeros((len(REGIONS), 2), np.float32)
        self._motion = Motion(
            index=crop.index,
            t_ns=crop.t_ns,
            anchor=crop.anchor,
            regions=regions,
            speed=regions.copy(),
            texture=regions[:, 0].copy(),
            head=np.zeros(4, np.float32),
            adm=None,
        )
        return self._motion

    def _remember(self, crop: FaceCrop, small: NDArray[np.uint8]) -> None:
        np.copyto(self._small, small)
        self._t_ns, self._anchor = crop.t_ns, crop.anchor
        self._warp = crop.warp

    def _renew(self, crop: FaceCrop, points: NDArray[np.float32]) -> None:
        self._ref = _Reference(crop.gray.copy(), crop.t_ns, points)
        self._moved = np.zeros_like(self._moved)
        self._carry = self._last.copy()

    def _reanchor(self, crop: FaceCrop) -> None:
        """Move reference and newest crop into the new crop's coordinates; the warp between is known."""
        assert self._ref is not None
        old = np.vstack([self._warp, [0, 0, 1]]).astype(np.float64)
        new = np.vstack([crop.warp, [0, 0, 1]]).astype(np.float64)
        change = (new @ np.linalg.inv(old))[:2]
        self._stage.rewarp(change)
        self._moved = self._moved @ change[:, :2].T
        points = points_of(crop.landmarks, self.size)
        side, border = (self.size, self.size), cv2.BORDER_REPLICATE
        gray = cv2.warpAffine(self._ref.gray, change, side, flags=cv2.INTER_LINEAR, borderMode=border)
        self._ref = _Reference(np.asarray(gray, np.uint8), self._ref.t_ns, points)
        self._head = np.zeros(4)

    def _track(self, gray: NDArray[np.uint8], start: Array) -> tuple[Array, Array, Array]:
        """From first guesses (P, 2) px: residual displacement (P, 2) px, window difference (P,) gray, trust (P,)."""
        ref = self._ref
        assert ref is not None
        mean, std = _brightness(gray)
        gain = ref.std / std
        level = np.asarray(cv2.convertScaleAbs(gray, alpha=gain, beta=ref.mean - gain * mean), np.uint8)
        found, status, error = cv2.calcOpticalFlowPyrLK(
            ref.gray,
            level,
            ref.points.reshape(-1, 1, 2),
            start.astype(np.float32).reshape(-1, 1, 2),
            winSize=_WINDOW,
            maxLevel=0,
            criteria=_CRITERIA,
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
            minEigThreshold=1e-6,
        )
        moved = (found[:, 0] - ref.points).astype(np.float64)
        difference = error[:, 0].astype(np.float64)
        away = np.abs(found[:, 0] - start)
        jump = np.maximum(away[:, 0], away[:, 1])
        good = (status[:, 0] == 1) & (difference < _BAD_ERROR) & (jump < _BAD_JUMP_PX)
        np.copyto(moved, start - ref.points, where=~good[:, None])
        weight = ref.quality * np.where(good, 1.0, 1e-3)
        self._theta, residual = ref.head(moved, weight * (0.02 + 0.98 * STABLE))
        self._moved, self._rigid = moved, moved - residual
        return residual, np.minimum(difference, 255.0), weight

    def _stale(self, t_ns: int, weight: Array) -> bool:
        assert self._ref is not None
        age = t_ns - self._ref.t_ns
        quiet = np.abs(self._last - self._slow).max() < _QUIET_PX
        far = math.hypot(self._theta[0], self._theta[1]) > _FAR_PX * self.size / 224
        lost = np.count_nonzero(weight < 0.01) > _LOST * len(weight)
        return bool(age > _MAX_AGE_NS or (age > _MIN_AGE_NS and quiet) or far or lost)

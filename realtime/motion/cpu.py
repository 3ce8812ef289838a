"""The motion stage on the CPU: OpenCV's flow on shrunken crops."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.adm import adm_row
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.light import lit_like
from mer_live.engines.representation.motion_image import resize_gray
from mer_live.engines.representation.specs import ROW, AdmSpec, Direction
from mer_live.realtime.motion.beside import MOST, Beside
from mer_live.realtime.motion.stage import FlowSpec


class _Flow:
    """One flow between crops of ``size`` px, taken at ``spec.flow_px``; ``lit`` alike, as `adm_rows` has it."""

    def __init__(self, spec: FlowSpec, size: int, *, lit: bool = False) -> None:
        self._flow = make_flow(spec.flow)
        self._lit = lit
        self._side = spec.flow_px
        self.shrunk = size / spec.flow_px
        self._previous = np.zeros((spec.flow_px, spec.flow_px), np.uint8)

    def restart(self, gray: NDArray[np.uint8]) -> None:
        np.copyto(self._previous, resize_gray(gray, self._side))

    def step(self, gray: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(flow_px, flow_px, 2) flow in px of the shrunken crop; valid until the next call."""
        small = resize_gray(gray, self._side)
        flow = self._flow(self._previous, lit_like(small, self._previous) if self._lit else small)
        np.copyto(self._previous, small)
        return flow


class CpuStage:
    """A `MotionStage`. The rows have a flow of their own, since theirs is of crops in one light.

    Args:
        size: S, side of the crops, px.
        tracked: flow that is read at the points.
        adm: ADM rows to make; None makes none.
        beside: make them in a thread of their own; they are the same.
    """

    def __init__(self, size: int, tracked: FlowSpec, adm: AdmSpec | None, beside: bool = False) -> None:
        self._side = (size, size)
        # The newest crop, and those that tasks beside may still read: as many as wait, one done and one given.
        self._crops = np.zeros((MOST + 3 if beside else 1, size, size), np.uint8)
        self._at = 0
        self._tracked = _Flow(tracked, size)
        self._adm = adm
        self._rows = None if adm is None else _Flow(FlowSpec(adm.flow, adm.flow_px), size, lit=True)
        self._beside = Beside("mer-rows") if beside and adm is not None else None

    @property
    def newest(self) -> NDArray[np.uint8]:
        """(S, S) the newest crop, in the anchoring of the next."""
        crop: NDArray[np.uint8] = self._crops[self._at]
        return crop

    def _keep(self, gray: NDArray[np.uint8]) -> None:
        self._at = (self._at + 1) % len(self._crops)
        np.copyto(self._crops[self._at], gray)

    def restart(self, gray: NDArray[np.uint8]) -> None:
        """Begin anew with a crop."""
        self._keep(gray)
        self._tracked.restart(gray)
        if self._rows is not None:
            self._do(partial(self._rows.restart, self.newest))

    def rewarp(self, change: NDArray[np.float64]) -> None:
        """Move the newest crop into a new anchoring."""
        border = cv2.BORDER_REPLICATE
        moved = cv2.warpAffine(self.newest, change, self._side, flags=cv2.INTER_LINEAR, borderMode=border)
        self.restart(np.asarray(moved, np.uint8))

    def step(self, gray: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next crop; see `MotionStage`."""
        flow, shrunk = self._tracked.step(gray), self._tracked.shrunk
        at = np.clip(np.rint(points / shrunk), 0, len(flow) - 1).astype(np.intp)
        self._keep(gray)
        moved: NDArray[np.float32] = flow[at[:, 1], at[:, 0]] * np.float32(shrunk)
        return moved

    def row(self) -> NDArray[np.float32] | None:
        """ADM row of the newest step; None where none is wanted."""
        if self._adm is None or self._rows is None:
            return None
        row = np.empty(ROW, np.float32)
        self._do(partial(self._make, self._rows, self.newest, row, self._adm.direction))
        return row

    @staticmethod
    def _make(rows: _Flow, gray: NDArray[np.uint8], row: NDArray[np.float32], direction: Direction) -> None:
        adm_row(rows.step(gray), row, direction, rows.shrunk)

    def later(self, do: Callable[[], None]) -> threading.Event | None:
        """See `MotionStage`."""
        there = None if self._beside is None else threading.Event()
        self._do(do)
        if there is not None:
            self._do(there.set)
        return there

    def _do(self, task: Callable[[], None]) -> None:
        if self._beside is None:
            task()
        else:
            self._beside.put(task)

    def close(self) -> None:
        """End the thread, if there is one, after what it was given; a second call does nothing."""
        if self._beside is not None:
            self._beside.close()

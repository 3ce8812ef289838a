"""The motion stage with a device: the rows that ATNet reads are made there, beside what the CPU does meanwhile.

The flow at the tracked points stays on the CPU. It is DIS at 112 px, named in spotter.json because the spotter was
fitted with it, and costs .2 ms. DIS asks of every patch whether its left and upper neighbours have found a better
match (OpenCV's spatial propagation), so that patches follow each other: as tensor operations it would be some
thousand dependent launches a frame. Farneback flow, which the device computes, has no such order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.device.rows import AdmRows
from mer_live.realtime.motion.cpu import CpuStage
from mer_live.realtime.motion.stage import FlowSpec


class CudaStage:
    """A `MotionStage` whose rows come from a device; it runs with ``device="cpu"`` as well.

    ``step`` sends the crop up and returns with the points' flow; the device works while the caller goes on.

    Args:
        size: S, side of the crops, px.
        tracked: flow that is read at the points.
        rows: of the device; this face takes one of its places.
    """

    def __init__(self, size: int, tracked: FlowSpec, rows: AdmRows) -> None:
        self._points = CpuStage(size, tracked, None)
        self._rows = rows
        self._place: int | None = rows.open()

    @property
    def _mine(self) -> int:
        if self._place is None:
            raise ValueError("this motion stage is closed")
        return self._place

    def restart(self, gray: NDArray[np.uint8]) -> None:
        """Begin anew with a crop."""
        self._points.restart(gray)
        self._rows.start(self._mine, gray)

    def rewarp(self, change: NDArray[np.float64]) -> None:
        """Move the newest crop into a new anchoring."""
        self._points.rewarp(change)
        self._rows.start(self._mine, self._points.newest)

    def step(self, gray: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next crop; see `MotionStage`."""
        self._rows.start(self._mine, gray)
        return self._points.step(gray, points)

    def row(self) -> NDArray[np.float32] | None:
        """ADM row of the newest step; waits for the device."""
        return self._rows.row(self._mine)

    def later(self, do: Callable[[], None]) -> None:
        """Every row has its numbers."""
        do()

    def close(self) -> None:
        """Give the place back; a second call does nothing."""
        if self._place is not None:
            self._rows.close(self._place)
            self._place = None

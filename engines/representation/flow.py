"""Dense optical flow between two gray crops on the CPU: DIS, Farneback and TV-L1 from OpenCV.

Convention:
    - ``flow[y, x] = (dx, dy)``: the pixel of ``prev`` at ``(x, y)`` lies at ``(x + dx, y + dy)`` in ``next``.
    - Components in pixels of the given image, ``(x, y)`` on the last axis, x to the right and y down.
    - A mirrored pair (both images flipped left-right) has the mirrored flow: flipped too, its x component negated.

Thread count is the application's choice (``cv2.setNumThreads``); one thread is fastest at these sizes.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.specs import DIS_PRESETS, FlowConfig


class Flow(Protocol):
    """Flow from ``prev`` to ``next``; keep one object per stream and thread.

    ============  =================  =====================================================
    argument      shape, dtype       meaning
    ============  =================  =====================================================
    prev, next    (H, W) uint8       gray images of the same size
    out           (H, W, 2) float32  result buffer, C-contiguous; None: the object's own
    returns       (H, W, 2) float32  ``out``, or the own buffer that the next call overwrites
    ============  =================  =====================================================
    """

    config: FlowConfig

    def __call__(
        self, prev: NDArray[np.uint8], next: NDArray[np.uint8], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Raise ValueError when shapes or dtypes do not fit."""
        ...


class BufferedFlow:
    """Input checks and the reused result buffer, common to all methods."""

    def __init__(self, config: FlowConfig) -> None:
        self.config = config
        self._buffer: NDArray[np.float32] = np.empty((0, 0, 2), np.float32)

    def __call__(
        self, prev: NDArray[np.uint8], next: NDArray[np.uint8], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """See ``Flow``."""
        if prev.dtype != np.uint8 or prev.ndim != 2 or next.dtype != np.uint8 or prev.shape != next.shape:
            raise ValueError(
                "flow needs two gray uint8 images of one size, "
                f"got {prev.shape} {prev.dtype} and {next.shape} {next.dtype}"
            )
        shape = (*prev.shape, 2)
        if out is None:
            if self._buffer.shape != shape:
                self._buffer = np.empty(shape, np.float32)
            out = self._buffer
        elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise ValueError(f"out must be {shape} float32 and contiguous, got {out.shape} {out.dtype}")
        self._compute(prev, next, out)
        return out

    def _compute(
        self, prev: NDArray[np.uint8], next: NDArray[np.uint8], out: NDArray[np.float32]
    ) -> None: ...


class DisFlow(BufferedFlow):
    """Dense inverse search (Kroeger, Timofte, Dai, Van Gool; ECCV 2016)."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__(config)
        self._dis = cv2.DISOpticalFlow.create(DIS_PRESETS.index(config.preset))

    def _compute(self, prev: NDArray[np.uint8], next: NDArray[np.uint8], out: NDArray[np.float32]) -> None:
        # OpenCV takes what lies in the result array as initial guess, also when it allocates the array
        # itself: without the zeros the flow would depend on what the memory held before.
        out.fill(0.0)
        self._dis.calc(prev, next, out)


class FarnebackFlow(BufferedFlow):
    """Polynomial expansion (Farneback; SCIA 2003), the flow of MADTN."""

    def _compute(self, prev: NDArray[np.uint8], next: NDArray[np.uint8], out: NDArray[np.float32]) -> None:
        c = self.config
        flags = cv2.OPTFLOW_FARNEBACK_GAUSSIAN if c.gaussian else 0
        cv2.calcOpticalFlowFarneback(
            prev, next, out, 0.5, c.levels, c.window_px, c.iterations, c.poly_n, c.poly_sigma, flags
        )


class TvL1Flow(BufferedFlow):
    """Duality-based TV-L1 (Zach, Pock, Bischof; DAGM 2007), the flow of STSTNet: for sets, far too slow for live."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__(config)
        self._tvl1 = cv2.optflow.DualTVL1OpticalFlow.create()

    def _compute(self, prev: NDArray[np.uint8], next: NDArray[np.uint8], out: NDArray[np.float32]) -> None:
        self._tvl1.calc(prev, next, out)


_FLOWS: dict[str, type[BufferedFlow]] = {"dis": DisFlow, "farneback": FarnebackFlow, "tvl1": TvL1Flow}


def make_flow(config: FlowConfig | None = None) -> Flow:
    """Return a new flow object for one stream (default: DIS fast)."""
    config = config or FlowConfig()
    return _FLOWS[config.method](config)

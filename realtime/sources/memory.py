"""Frames held in memory: what tests and benchmarks play, and what a preloaded recording becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.sources.config import CameraConfig, Pace

Repeat = Literal["once", "repeat", "bounce"]


class MemorySource(FrameSource):
    """Frames that are in memory already, so that nothing but the analysis is measured."""

    def __init__(
        self,
        frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
        *,
        t_ns: Sequence[int] | None = None,
        numbers: Sequence[int] | None = None,
        stretches: Sequence[int] | None = None,
        fps: float | None = None,
        pace: Pace = "max",
        repeat: Repeat = "once",
        duration_s: float | None = None,
        description: str | None = None,
    ) -> None:
        """Take ``frames`` (N, H, W, 3) uint8 BGR with their times ``t_ns`` (N,), or a rate ``fps``.

        ``numbers`` (N,) are the frames' own, for ``repeat`` 'once'; ``stretches`` (N,) as in FrameSource.
        ``repeat`` starts over at the end ('bounce' plays back and forth, without a jump at the seam) until
        ``duration_s`` or ``stop()``.
        """
        if len(frames) == 0:
            raise ValueError("there must be at least one frame")
        if (t_ns is None) == (fps is None):
            raise ValueError("give either the frames' times or a rate")
        if any(frame.shape != frames[0].shape for frame in frames):
            raise ValueError("all frames must have one size")
        if repeat not in ("once", "repeat", "bounce"):
            raise ValueError(f"repeat is 'once', 'repeat' or 'bounce', not {repeat!r}")
        height, width = frames[0].shape[:2]
        cfg = CameraConfig(source="memory", fps=fps, pace=pace, duration_s=duration_s)
        if t_ns is not None:
            self._times = np.asarray(t_ns, np.int64)
            if len(self._times) != len(frames) or (np.diff(self._times) <= 0).any():
                raise ValueError("there must be one time for each frame, strictly increasing")
            gaps = np.diff(self._times)
            self._gap_ns = int(np.median(gaps)) if len(gaps) else 1_000_000_000
        else:
            assert fps is not None
            self._times = np.round(np.arange(len(frames)) * (1e9 / fps)).astype(np.int64)
            self._gap_ns = round(1e9 / fps)
        rate = fps or 1e9 / self._gap_ns
        super().__init__(
            cfg,
            size=(width, height),
            recorded=True,
            nominal_fps=rate,
            description=description
            or f"{len(frames)} frames in memory: {width}x{height}, {rate:g} fps, pace {pace}",
        )
        self._frames = frames
        self._numbers = numbers
        self._stretches = stretches
        self._repeat = repeat
        self._number = 0

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        """Copy the next frame into ``slot``; its time, ns."""
        count = len(self._frames)
        turn, step = divmod(self._number, count)
        if turn and self._repeat == "once":
            return None
        self._number += 1
        times = self._times
        if self._repeat == "bounce" and turn % 2 == 1:
            which = count - 1 - step
            elapsed_ns = int(times[-1] - times[which])
        else:
            which = step
            elapsed_ns = int(times[which] - times[0])
        np.copyto(slot, self._frames[which])
        if self._numbers is not None and self._repeat == "once":
            self.number = self._numbers[which]
        if self._stretches is not None:
            self.stretch = self._stretches[which]
        turn_ns = int(times[-1] - times[0]) + self._gap_ns
        return int(times[0]) + turn * turn_ns + elapsed_ns

"""Frames that another program hands over: any iterable of pictures as a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.sources.config import CameraConfig, SourceError

Picture = NDArray[np.uint8]


class IterableSource(FrameSource):
    """Pictures (H, W, 3) uint8 BGR at a constant rate, or (time in ns, picture) pairs; read as fast as they come.

    The iterable is asked for the next picture from the source's own thread, and waits for the analysis.

    Args:
        frames: the pictures, all of one size; the first is taken at once.
        fps: their rate; needed where they carry no times.
        duration_s: end after this much stream time.

    Raises:
        SourceError: no picture at all, one of another shape or type, or no times and no rate.
    """

    def __init__(
        self,
        frames: Iterable[Picture] | Iterable[tuple[int, Picture]],
        fps: float | None = None,
        duration_s: float | None = None,
    ) -> None:
        rest: Iterator[Picture | tuple[int, Picture]] = iter(frames)
        first = next(rest, None)
        if first is None:
            raise SourceError("the iterable gives no picture")
        if fps is None and not isinstance(first, tuple):
            raise SourceError("pictures without times need their rate: give fps")
        self._frames = chain([first], rest)
        self._count = 0
        self._fps = fps
        picture = first[1] if isinstance(first, tuple) else first
        self._shape = np.shape(picture)
        self._check(picture)
        height, width, _ = self._shape
        super().__init__(
            CameraConfig(source="iterable", fps=fps, duration_s=duration_s),
            size=(width, height),
            recorded=True,
            nominal_fps=fps or 0.0,
            description=f"pictures of {width}x{height}" + (f" at {fps:g} fps" if fps else ""),
        )

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        """Copy the next picture into ``slot``; its time, ns."""
        item = next(self._frames, None)
        if item is None:
            return None
        if isinstance(item, tuple):
            t_ns, picture = item
        else:
            assert self._fps is not None
            t_ns, picture = round(self._count * 1e9 / self._fps), item
        self._check(picture)
        np.copyto(slot, picture)
        self._count += 1
        return int(t_ns)

    def _check(self, picture: Picture) -> None:
        shape, kind = np.shape(picture), getattr(picture, "dtype", None)
        if len(shape) != 3 or shape[2] != 3 or kind != np.uint8:
            raise SourceError(f"pictures must be (height, width, 3) uint8 BGR, not {shape} {kind}")
        if shape != self._shape:
            raise SourceError(f"picture {self._count} is {shape}, those before it are {self._shape}")

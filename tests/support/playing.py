"""Run a frame source to its end through a real ring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from support.video_clips import number_of

from mer_live.realtime.ring import FrameRing
from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.open import open_source


def play(source: FrameSource, capacity: int = 8) -> tuple[list[int], list[int]]:
    """Run to the end; the number that each frame carries, and its time in ns."""
    width, height = source.size
    ring = FrameRing(capacity, height, width, block=source.waits)
    numbers: list[int] = []
    times: list[int] = []
    with ring.reader() as reader:
        source.start(ring)
        while (frame := reader.read(20)) is not None:
            assert frame.index == len(numbers) or not source.waits
            numbers.append(number_of(frame.image))
            times.append(frame.t_ns)
    assert source.join(20)
    assert ring.closed
    assert (np.diff(times) > 0).all()
    return numbers, times


def play_file(path: Path | str, **changes: object) -> tuple[list[int], list[int], FrameSource]:
    source = open_source(CameraConfig(source=str(path), **changes))  # type: ignore[arg-type]
    numbers, times = play(source)
    assert source.error is None
    assert source.captured == len(numbers)
    return numbers, times, source

"""mer-live itself measured as ``mer-bench peers`` measures the others: one process, the same frames."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import load_bundle
from mer_live.engines.versions import versions
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.sources.config import CameraConfig, Pace


class Frames(Protocol):
    """A clip of raw frames, as ``runner`` reads it."""

    shape: tuple[int, int, int]
    """(H, W, 3)."""
    fps: float
    count: int

    def read(self, k: int, slot: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Put frame ``k`` into ``slot`` (H, W, 3) and return it."""


class RawSource(FrameSource):
    """The raw frames as a source, at full speed or as a camera."""

    def __init__(self, frames: Frames, pace: Pace) -> None:
        height, width, _ = frames.shape
        config = CameraConfig(pace=pace)
        super().__init__(
            config, size=(width, height), recorded=True, nominal_fps=frames.fps, description="raw frames"
        )
        self._frames, self._next = frames, 0

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        """Read the next frame; None after the last."""
        if self._next == self._frames.count:
            return None
        self._frames.read(self._next, slot)
        self._next += 1
        return round((self._next - 1) * 1e9 / self._frames.fps)


def measure_self(frames: Frames, webcam: Frames, bundles: Sequence[str], started: float) -> dict[str, Any]:
    """The whole pipeline with engines, at full speed and then live.

    Args:
        frames: the clip.
        webcam: the same at 30 fps.
        bundles: names or folders.
        started: ``time.monotonic()`` when this process began.

    Returns:
        What ``runner.measure_calls`` returns, and ``version``, ``start_s`` and ``events``. A frame's time
        is the worker's: landmarks run beside it, so it does not hold a face detection as the others' does.
    """
    with Recognizer([load_bundle(name) for name in bundles]) as recognizer:
        fast, cores, _ = _through(RawSource(frames, "max"), recognizer)
        live, live_cores, _ = _through(RawSource(frames, "realtime"), recognizer)
        _, _, cpu_s = _through(RawSource(webcam, "max"), recognizer)
    count, frame = fast.counters, fast.counters.stages["frame"]
    wall_s = (count.last_done_ns - count.first_done_ns) / 1e9
    return {
        "version": versions()["mer-live"],
        "start_s": count.first_done_ns / 1e9 - started,
        "frames": count.processed,
        "fps": (count.processed - 1) / wall_s,
        "cores": cores,
        "curve_ms": [frame.quantile_ms(percent / 100) for percent in range(101)],
        "live": {"offered": live.source.captured, "answered": live.counters.processed, "cores": live_cores},
        "minute_cpu_s": cpu_s * 60 * webcam.fps / webcam.count,
        "events": sum(event.state != "provisional" for event in live.events.values()),
    }


def _through(source: FrameSource, recognizer: Recognizer) -> tuple[Pipeline, float, float]:
    """The pipeline when it has ended, the cores and the processor time (s) that it took."""
    pipeline = Pipeline(source, recognizer)
    pipeline.start()
    while not pipeline.counters.first_done_ns and not pipeline.join(0.005):
        # The others are not charged for loading their models either.
        continue
    cpu, started = time.process_time(), time.perf_counter()
    pipeline.join()
    if pipeline.error is not None:
        raise pipeline.error
    cpu_s = time.process_time() - cpu
    return pipeline, cpu_s / (time.perf_counter() - started), cpu_s

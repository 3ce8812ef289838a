"""Ten thousand frames through ring, crop, motion and spotter on one thread: what stays, what is taken for a while."""

from __future__ import annotations

import gc
import resource
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mer_live.benchmarks.inputs import HeldClip
from mer_live.engines.representation.specs import AdmSpec
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.path import FacePath, Step
from mer_live.realtime.ring import FrameRing

_WARM = 1000
"""5 s at 200 fps: whatever holds seconds is full."""
_GAP_NS = 5_000_000
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Taken:
    """What frames did to memory, once everything was warm."""

    frames: int
    decisions: int
    """Frames in which something was decided."""
    blocks: int
    """Gained over all frames, of Python's and numpy's memory."""
    gained_bytes: int
    grew: tuple[str, ...]
    """Lines whose blocks grew most."""
    peaks: NDArray[np.int64]
    """(n,) bytes taken for a while in each frame without a decision."""
    decision_peaks: NDArray[np.int64]
    """The same of frames with one."""


def taken(recording: HeldClip, frames: int, warm: int = _WARM) -> Taken:
    """What ``frames`` frames take by tracemalloc, which makes them several times slower."""
    peaks, decided = np.zeros(frames, np.int64), np.zeros(frames, bool)
    with _steps(recording) as steps:
        for _ in islice(steps, warm):
            pass
        gc.collect()
        tracemalloc.start()
        try:
            for _ in islice(steps, warm):  # it must know of what is held already, which is replaced by and by
                pass
            gc.collect()
            before = tracemalloc.take_snapshot()
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            for k, step in enumerate(islice(steps, frames)):
                left, peak = tracemalloc.get_traced_memory()
                peaks[k], decided[k] = peak - held, bool(step.spotted)
                held = left
                tracemalloc.reset_peak()
            gc.collect()
            after = tracemalloc.take_snapshot()
        finally:
            tracemalloc.stop()
    ours = tracemalloc.Filter(False, tracemalloc.__file__)
    differences = after.filter_traces([ours]).compare_to(before.filter_traces([ours]), "lineno")
    grew = sorted(differences, key=lambda one: -abs(one.size_diff))[:_SHOWN]
    return Taken(
        frames,
        int(decided.sum()),
        sum(one.count_diff for one in differences),
        sum(one.size_diff for one in differences),
        tuple(_words(one) for one in grew if one.size_diff),
        peaks[~decided],
        peaks[decided],
    )


def _words(one: tracemalloc.StatisticDiff) -> str:
    place = one.traceback[0]
    file = "/".join(Path(place.filename).parts[-2:])
    return f"{file}:{place.lineno}, {one.count_diff:+d} blocks, {one.size_diff:+d} bytes"


def faults(recording: HeldClip, frames: int, warm: int = _WARM) -> float:
    """Minor page faults of a thousand frames. Linux only."""
    with _steps(recording) as steps:
        for _ in islice(steps, warm):
            pass
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        for _ in islice(steps, frames):
            pass
        return 1e3 * (resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before) / frames


@contextmanager
def _steps(recording: HeldClip) -> Iterator[Iterator[Step]]:
    """The clip back and forth without end; landmarks of the first frame, and never again."""
    _, height, width, _ = recording.frames.shape
    ring = FrameRing(16, height, width, block=False)
    reader = ring.reader()
    once = LiveConfig(landmark_period_ms=3_600_000)
    there, back = recording.frames, recording.frames[::-1]

    def steps(path: FacePath) -> Iterator[Step]:
        for k, image in enumerate(chain.from_iterable(cycle((there, back))), 1):
            ring.write(image, k * _GAP_NS)
            frame = reader.read()
            assert frame is not None
            yield path.step(frame, reader.valid)

    with FacePath(once, adm=AdmSpec()) as path:
        yield steps(path)

"""``mer-bench trace``: where the time of a late frame went, and which threads had the cores meanwhile. Linux only."""

from __future__ import annotations

import os
import resource
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mer_live.benchmarks.inputs import looped
from mer_live.benchmarks.result import Figure, Result
from mer_live.engines.bundle import load_bundle
from mer_live.realtime.config import BUNDLES
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.path import Step
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.process import settle_memory, settle_process
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.open import open_source

SPENT = ("computing", "waiting for a core", "asleep: interpreter or lock")
"""What the worker did with a frame's time."""
STAGES = ("crop", "motion", "spotter", "clip")
"""On what; a clip is copied where something was decided."""
KINDS = ("without a look", "with a look", "with a decision")
"""Of frames: the spotter looks every 20 ms, and now and then decides."""
_BESIDE = {"landmarks": "mediapipe", "engines": "mer-engine"}
"""What is heavy, and the group of threads that does it."""
_RAN = 0.3
"""Part of a frame's time that a group ran to count as beside it."""
_LATE = 0.01
"""The slowest part of the frames."""
_SETTLED_S = 1.0
_SHOWN = 6
"""Groups of other threads, the busiest ones."""
_ROW = len(SPENT) + 1 + len(STAGES)
"""Nanoseconds of each of ``SPENT``, page faults, nanoseconds of each of ``STAGES``; then processor time of each other
thread."""


class Trace:
    """Reads the clocks of all threads before and after each frame, in the worker, into memory laid out at first."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.names: list[str] = []
        """Of the threads, the worker's left out."""
        self.kinds: NDArray[np.int8] = np.zeros(frames, np.int8)
        """Index into ``KINDS``, frame by frame."""
        self._rows: NDArray[np.int64] = np.zeros((0, 0), np.int64)
        self._clocks: list[int] = []
        self._worker = 0
        self.n = 0

    def begin(self) -> None:
        """In the worker, when all threads are there."""
        self._worker = threading.get_native_id()
        known = {one.native_id: one.name for one in threading.enumerate()}
        others = [int(tid) for tid in os.listdir("/proc/self/task") if int(tid) != self._worker]
        self.names = [
            known.get(tid) or Path(f"/proc/self/task/{tid}/comm").read_text().strip() for tid in others
        ]
        # The clock of a thread by its number, as clock_gettime(2) has it for CPUCLOCK_PERTHREAD and CPUCLOCK_SCHED.
        self._clocks = [(~tid << 3) | 6 for tid in others]
        self._rows = np.zeros((self.frames, _ROW + len(others)), np.int64)
        self._queue = os.open(f"/proc/self/task/{self._worker}/schedstat", os.O_RDONLY)

    def now(self) -> NDArray[np.int64]:
        """Wall clock, the worker's processor time, its time in the run queue, page faults; the other threads'."""
        others = [_ran_ns(clock) for clock in self._clocks]
        queued = int(os.pread(self._queue, 64, 0).split()[1])
        faults = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        return np.array([time.monotonic_ns(), time.thread_time_ns(), queued, faults, *others], np.int64)

    def add(
        self, before: NDArray[np.int64], after: NDArray[np.int64], marks: Sequence[int] = (), kind: int = 0
    ) -> None:
        """One frame of a kind; ``marks``: monotonic clock at the end of each stage but the last."""
        if self.n < self.frames:
            self.kinds[self.n] = kind
            wall, ran, queued, faults, *others = np.maximum(after - before, 0).tolist()
            ends = [*marks, *[after[0]] * (len(STAGES) - len(marks))]
            stages = np.diff([before[0], *ends]).tolist()
            self._rows[self.n] = ran, queued, wall - ran - queued, faults, *stages, *others
            self.n += 1

    @property
    def rows(self) -> NDArray[np.int64]:
        """(n, ROW + threads) frame by frame."""
        return self._rows[: self.n]


def _ran_ns(clock: int) -> int:
    """Processor time of another thread; 0 once it has ended."""
    try:
        return time.clock_gettime_ns(clock)
    except OSError:
        return 0


def run(quick: bool = False, seconds: float | None = None) -> Result:
    """A minute of the demo clip as a 200 fps camera, decoded as a user's file is; quick: 15 s, or ``seconds``.

    Raises RuntimeError where the system does not tell what threads do.
    """
    if not Path("/proc/self/schedstat").exists():
        raise RuntimeError("threads can be traced on Linux only: run it there")
    settle_process()
    seconds = seconds or (15 if quick else 60)
    result = Result(
        "trace", {"quick": quick, "input": f"demo clip, 640x480, 200 fps, {seconds:g} s of H.264"}
    )
    bundles = [load_bundle(name) for name in BUNDLES]
    with tempfile.TemporaryDirectory() as folder, Recognizer(bundles) as recognizer:
        clip = looped(demo_clip(), Path(folder) / "clip.mp4", seconds)
        source = open_source(CameraConfig(source=str(clip), pace="realtime"))
        pipeline = Pipeline(source, recognizer)
        trace = _traced(pipeline, round(200 * seconds))
        settle_memory()
        with pipeline:
            pipeline.join()
    if pipeline.error is not None:
        raise pipeline.error
    result.time_kernel()
    _figures(result, trace)
    return result


def _traced(pipeline: Pipeline, frames: int) -> Trace:
    trace, (path,) = Trace(frames), pipeline.paths
    step, mark = path.step, path._mark
    marks: list[int] = []

    def marked(stage: str) -> None:
        marks.append(time.monotonic_ns())
        mark(stage)

    def traced(frame, whole=None) -> Step:  # type: ignore[no-untyped-def]
        if frame.t_ns < _SETTLED_S * 1e9:
            return step(frame, whole)
        if not trace.names:
            trace.begin()
        marks.clear()
        before = trace.now()
        made = step(frame, whole)
        looked = path.spotter._window._looked_ns == frame.t_ns
        trace.add(before, trace.now(), marks, 2 if made.spotted else int(looked))
        return made

    path._mark = marked
    path.step = traced  # type: ignore[method-assign]
    return trace


def _figures(result: Result, trace: Trace) -> None:
    rows = trace.rows / 1e6
    wall = rows[:, : len(SPENT)].sum(1)
    late = wall >= np.quantile(wall, 1 - _LATE)
    p50 = float(np.median(wall))
    usual = np.abs(wall - p50) <= np.quantile(np.abs(wall - p50), 0.5)  # the middle half
    for name, q in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        result.figures.append(Figure(f"one frame, {name}", float(np.quantile(wall, q)), "ms", len(wall)))
    result.figures.append(
        Figure("frames over twice the median", float((wall > 2 * p50).mean() * 100), "%", len(wall))
    )
    groups: dict[str, NDArray[np.float64]] = {}
    for k, name in enumerate(trace.names, _ROW):
        group = name.rstrip("0123456789_-/")
        groups[group] = groups.get(group, np.zeros(len(wall))) + rows[:, k]
    busiest = sorted(groups, key=lambda name: -float(groups[name][late].sum()))[:_SHOWN]
    which = {"late": late, "usual": usual}
    kinds = {kind: trace.kinds[: trace.n] == k for k, kind in enumerate(KINDS)}
    heavy = {name: groups.get(group, 0 * wall) > _RAN * wall for name, group in _BESIDE.items()}
    kinds["beside neither landmarks nor engines"] = ~np.logical_or.reduce(list(heavy.values()))
    kinds |= {f"beside {name}": chosen for name, chosen in heavy.items()}
    for kind, chosen in kinds.items():
        for name, q in (("p50", 0.5), ("p99", 0.99)):
            value = float(np.quantile(wall[chosen], q)) if chosen.any() else None
            note = f"{chosen.mean():.1%} of the frames"
            result.figures.append(Figure(f"frames {kind}, {name}", value, "ms", int(chosen.sum()), note=note))

    def means(names: Sequence[str], first: int) -> dict[str, dict[str, float]]:
        columns = enumerate(names, first)
        return {name: {one: float(rows[at, k].mean()) for one, at in which.items()} for k, name in columns}

    result.details = {
        "worker": means(SPENT, 0),
        "stages": means(STAGES, len(SPENT) + 1),
        "cores": {
            name: {one: float(groups[name][at].sum() / wall[at].sum()) for one, at in which.items()}
            for name in busiest
        },
    }
    parts = [(name, "ms", values) for name, values in result.details["worker"].items()]
    faults = trace.rows[:, len(SPENT)]
    parts.append(("page faults", "", {one: float(faults[chosen].mean()) for one, chosen in which.items()}))
    parts += [(f"in {name}", "ms", values) for name, values in result.details["stages"].items()]
    parts += [(f"cores of {name}", "", values) for name, values in result.details["cores"].items()]
    for name, unit, values in parts:
        note = f"{values['usual']:.2f} in the middle half"
        result.figures.append(
            Figure(f"slowest 1 %: {name}", values["late"], unit, int(late.sum()), note=note)
        )

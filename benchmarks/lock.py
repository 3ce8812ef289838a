"""``mer-bench lock``: how long a thread waits for Python's lock while a 200 fps camera runs. Linux only.

A probe sleeps outside the lock until a set time, every millisecond, and then needs it. How much later it goes on, less
what it waited for a core, is how long somebody held it.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.benchmarks.inputs import HeldClip, demo_recording
from mer_live.benchmarks.result import Figure, Result, Times
from mer_live.engines.bundle import load_bundle
from mer_live.realtime.config import BUNDLES
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.process import settle_memory, settle_process
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.sources.memory import MemorySource

STAGES = ("crop", "motion", "spotter", "no frame")
"""What the worker was at when the probe asked; in the last case landmarks, engines or the source have the lock."""
_PERIOD_NS = 1_000_000
_MOST_MS = 0.5
_INTERVALS_MS = (0.5, 0.1, 5.0)
"""Of ``sys.setswitchinterval``: ours first, then a shorter one and Python's own."""
_ABSOLUTE, _SLACK = 1, 29  # TIMER_ABSTIME, PR_SET_TIMERSLACK


class _Time(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))


class Probe(threading.Thread):
    """Asks for the lock every millisecond until it is stopped; then ``asked`` and ``waits`` (n,) ns are whole."""

    def __init__(self, seconds: float) -> None:
        super().__init__(name="lock-probe")
        self._places = np.zeros((int(seconds * 1e9 / _PERIOD_NS) + 1, 2), np.int64)
        self._n = 0
        self._halt = False

    @property
    def asked(self) -> NDArray[np.int64]:
        """When."""
        return self._places[: self._n, 0]

    @property
    def waits(self) -> NDArray[np.int64]:
        """How long for the lock, and for the timer's interrupt, some 0.01 ms."""
        return self._places[: self._n, 1]

    def stop(self) -> None:
        """End and join."""
        self._halt = True
        self.join()

    def run(self) -> None:
        """The thread's function."""
        libc = ctypes.CDLL(None)
        libc.prctl(_SLACK, 1, 0, 0, 0)
        queue = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
        due, until, queued = time.monotonic_ns() + _PERIOD_NS, _Time(), _queued_ns(queue)
        while not self._halt and self._n < len(self._places):
            until.s, until.ns = divmod(due, 1_000_000_000)
            libc.clock_nanosleep(time.CLOCK_MONOTONIC, _ABSOLUTE, ctypes.byref(until), None)
            late, before = time.monotonic_ns() - due, queued
            queued = _queued_ns(queue)
            self._places[self._n] = due, max(0, late - (queued - before))
            self._n += 1
            due = max(due + _PERIOD_NS, time.monotonic_ns() + _PERIOD_NS // 2)
        os.close(queue)


def _queued_ns(schedstat: int) -> int:
    return int(os.pread(schedstat, 64, 0).split()[1])


def run(quick: bool = False, seconds: float | None = None) -> Result:
    """A camera for 30 s at each switch interval; quick: 5 s, or ``seconds``.

    Raises RuntimeError where the system does not tell what threads wait for.
    """
    if not Path("/proc/self/schedstat").exists():
        raise RuntimeError("waits for a core are told on Linux only: run it there")
    settle_process()
    seconds = seconds or (5.0 if quick else 30.0)
    result = Result(
        "lock", {"quick": quick, "input": "demo clip, 640x480, 200 fps, in memory", "seconds": seconds}
    )
    recording = demo_recording(1.5)
    idle = Probe(2.0)
    idle.start()
    idle.join()
    result.times.append(Times.of("nobody else", idle.waits, "wait for the lock"))
    usual_s = sys.getswitchinterval()
    with Recognizer([load_bundle(name) for name in BUNDLES]) as recognizer:
        settle_memory()
        try:
            for interval_ms in _INTERVALS_MS:
                sys.setswitchinterval(interval_ms / 1e3)
                _one(result, recording, recognizer, seconds, interval_ms)
                result.time_kernel()
        finally:
            sys.setswitchinterval(usual_s)
    return result


def _one(
    result: Result, recording: HeldClip, recognizer: Recognizer, seconds: float, interval_ms: float
) -> None:
    source = MemorySource(recording.frames, fps=200.0, pace="realtime", repeat="bounce", duration_s=seconds)
    pipeline, probe = Pipeline(source, recognizer), Probe(seconds + 5)
    begins = _timed(pipeline)
    with pipeline:
        probe.start()
        pipeline.join()
    probe.stop()
    if pipeline.error is not None:
        raise pipeline.error
    waits, about = probe.waits / 1e6, f"switch interval {interval_ms:g} ms"
    for name, q in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("at most", 1.0)):
        target = _MOST_MS if interval_ms == _INTERVALS_MS[0] else None
        held_ms = float(np.quantile(waits, q))
        result.figures.append(Figure(f"{about}: lock held, {name}", held_ms, "ms", len(waits), target=target))
    result.figures.append(Figure(f"{about}: frames lost", pipeline.dropped, "", source.captured))
    result.times.append(Times.counted(f"{about}: frame", pipeline.counters.stages["frame"], "worker"))
    times = np.array(begins)
    at = np.searchsorted(times[:, 0], probe.asked, side="right") - 1
    stage = np.where(at >= 0, (probe.asked[:, None] >= times[at]).sum(1) - 1, len(STAGES) - 1)
    for k, name in enumerate(STAGES):
        if (stage == k).any():
            result.times.append(Times.of(f"{about}: {name}", probe.waits[stage == k], "wait for the lock"))


def _timed(pipeline: Pipeline) -> list[tuple[int, ...]]:
    """Monotonic clock at the begin of each stage of each frame, and at the end of the last, as they come."""
    (path,) = pipeline.paths
    step, mark, found, marks = path.step, path._mark, list[tuple[int, ...]](), list[int]()

    def marked(stage: str) -> None:
        marks.append(time.monotonic_ns())
        mark(stage)

    def timed(frame: Any, whole: Any = None) -> Any:
        marks[:] = [time.monotonic_ns()]
        made = step(frame, whole)
        if len(marks) == len(STAGES):
            found.append(tuple(marks))
        return made

    path._mark, path.step = marked, timed  # type: ignore[method-assign]
    return found

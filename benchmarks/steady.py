"""``mer-bench steady``: one 200 fps camera for an hour, from memory; what is held, how late it is, what is lost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import psutil

from mer_live.benchmarks.inputs import demo_recording
from mer_live.benchmarks.result import Figure, Result, Times
from mer_live.benchmarks.slope import gained
from mer_live.engines.bundle import load_bundle
from mer_live.realtime.config import BUNDLES
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.process import settle_memory, settle_process
from mer_live.realtime.recognition.naming import KEPT_EVENTS
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.sources.memory import MemorySource
from mer_live.realtime.types import Event, Face, Moment, Span

_FPS = 200.0
_SAMPLE_S = 5.0
_LEAK_MB_H = 1.0


@dataclass(frozen=True, slots=True)
class Gauge:
    """The process at one moment."""

    t_s: float
    rss_mb: float
    """Resident, without the clip that is played."""
    ring_mb: float
    """Of it what the ring takes up, which a halt longer than any before makes more, once and for all."""
    handles: int
    threads: int
    age_ms: float
    """Capture -> processed of the newest frame."""
    dropped: int
    """Frames since the start."""


def run(minutes: float = 60.0) -> Result:
    """Play the demo clip back and forth as a camera; what it gained in the first sixth of the time is warming up.

    The store of events for the report is full from the first frame on: it would grow for five and a half hours, at an
    event every two seconds, and hide what else does.
    """
    settle_process()
    seconds = 60 * minutes
    result = Result("steady", {"minutes": minutes, "input": "demo clip, 640x480, 200 fps, in memory"})
    recording = demo_recording(1.5)
    source = MemorySource(recording.frames, fps=_FPS, pace="realtime", repeat="bounce", duration_s=seconds)
    process, samples = psutil.Process(), list[Gauge]()
    with Recognizer([load_bundle(name) for name in BUNDLES]) as recognizer:
        pipeline = Pipeline(source, recognizer)
        pipeline.events.update((-k, _event(k)) for k in range(KEPT_EVENTS, 0, -1))
        settle_memory()
        pipeline.start()
        started = time.monotonic()
        while not pipeline.join(_SAMPLE_S):
            samples.append(_look(process, pipeline, recording.frames.nbytes, time.monotonic() - started))
    if pipeline.error is not None:
        raise pipeline.error
    result.time_kernel()
    result.times.append(Times.counted("frame", pipeline.counters.stages["frame"], "whole path"))
    result.figures = [
        *judge(samples, seconds),
        Figure("frames lost", pipeline.dropped, "", source.captured, target=0),
        Figure(
            "frames that the camera itself was late with",
            round(seconds * _FPS) - source.captured,
            "",
            target=0,
        ),
    ]
    result.details["samples"] = [asdict(sample) for sample in samples]
    return result


def _event(k: int) -> Event:
    """One of the report's, which holds what an event of the clip holds; the oldest one is given up first."""
    onset, apex, offset, decided = (Moment(1000 * k + at, 5_000_000 * (1000 * k + at)) for at in range(4))
    stages = tuple(
        (name, 1000 * k + at) for at, name in enumerate(("queue", "represent", "engines", "other"))
    )
    return Event(
        id=-k,
        revision=3,
        state="settled",
        label="negative",
        probs=np.full(3, 1 / 3, np.float32),
        score=0.5 + k * 1e-5,
        span=Span(onset, apex, offset),
        decided=decided,
        compute_ns=1000 * k,
        stages_ns=stages,
        engine="engine",
        backend="openvino",
        face=Face(1000 + k, (1000 + k, 2000 + k, 3000 + k, 4000 + k)),
    )


def _look(process: psutil.Process, pipeline: Pipeline, clip_bytes: int, t_s: float) -> Gauge:
    return Gauge(
        round(t_s, 2),
        (process.memory_info().rss - clip_bytes) / 1e6,
        pipeline._ring.memory_bytes / 1e6,
        process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
        process.num_threads(),
        pipeline.counters.age_ns / 1e6,
        pipeline.dropped,
    )


def judge(samples: Sequence[Gauge], seconds: float) -> list[Figure]:
    """What is gained once everything is warm: a leak of 1 MB an hour is ruled out, or it is not."""
    warm = [sample for sample in samples if sample.t_s >= seconds / 6]
    hours, n, late = [sample.t_s / 3600 for sample in warm], len(warm), [sample.age_ms for sample in warm]
    memory = gained(
        "memory gained, the ring left out", "MB/h", hours, [sample.rss_mb - sample.ring_mb for sample in warm]
    )
    handles, threads = ([getattr(sample, name) for sample in warm] for name in ("handles", "threads"))
    most = replace(memory, name=f"{memory.name}, at most", value=memory.high, target=_LEAK_MB_H, note="95 %")
    return [
        memory,
        most,
        Figure("memory, at most", max(sample.rss_mb for sample in samples), "MB", len(samples)),
        Figure("the ring, at most", max(sample.ring_mb for sample in samples), "MB", len(samples)),
        Figure("handles, most less fewest", max(handles) - min(handles), "", n, target=0),
        Figure("threads, most less fewest", max(threads) - min(threads), "", n, target=0),
        Figure("age of the newest frame, median", float(np.median(late)), "ms", n),
        Figure("age of the newest frame, p99", float(np.quantile(late, 0.99)), "ms", n),
        gained("age of the newest frame gained", "ms/h", hours, late),
    ]

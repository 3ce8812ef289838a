"""The report of a run as one JSON object (docs/formats.md, "Report JSON")."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from mer_live.engines.versions import versions
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.sinks import event_line


def build_report(pipeline: Pipeline) -> dict[str, Any]:
    """Counts, rates, stage times, delays and events of a pipeline that has been joined."""
    count = pipeline.counters
    wall_s = (count.last_done_ns - count.first_done_ns) / 1e9
    return {
        "source": pipeline.source.description,
        "start": None if pipeline.began is None else pipeline.began.to_json(),
        "frames": {
            "captured": pipeline.source.captured,
            "processed": count.processed,
            "dropped": pipeline.dropped,
        },
        "fps": {
            "source": round(pipeline.source.mean_fps, 2),
            "processed": round((count.processed - 1) / wall_s, 1) if wall_s > 0 else 0.0,
        },
        "input": {**pipeline.source.facts, **pipeline.input.figures().to_json()},
        "stages_ms": {name: times.summary(50, 95, 99, 99.9) for name, times in count.stages.items()},
        "delay_ms": {kind: times.summary(50, 95) for kind, times in count.delay.items()},
        "compute_ms": {kind: times.summary(50, 95, 99) for kind, times in count.compute.items()},
        "events": [event_line(event) for event in pipeline.events.values()],
        "markers": [marker.to_json() for marker in pipeline.marking.kept],
        "states": dict(count.states),
        "lost_spots": pipeline.lost_spots,
        "engine": pipeline.recognizer.engine,
        "backend": pipeline.recognizer.backend,
        "backend_reason": pipeline.recognizer.why,
        "device": _device(pipeline.recognizer),
        "error": None if pipeline.error is None else str(pipeline.error),
        "startup_s": _startup_s(count.first_done_ns),
        "memory_mb": round(psutil.Process().memory_info().rss / 1e6),
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "versions": versions(),
    }


def _device(recognizer: Recognizer) -> dict[str, str | None]:
    chosen = recognizer.device
    return {
        "name": None if chosen is None else chosen.name,
        "reason": None if chosen is None else chosen.why,
        "flow": recognizer.flow,
        "precision": recognizer.precision,
    }


def _startup_s(first_done_ns: int) -> float | None:
    """From the start of this process to its first processed frame; None without one."""
    if not first_done_ns:
        return None
    if sys.platform == "linux":
        # psutil adds this to the boot's wall clock, which Linux tells in whole seconds: up to a second too early.
        begun = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - begun / os.sysconf("SC_CLK_TCK")
    else:
        age_s = time.time() - psutil.Process().create_time()
    return round(age_s - (time.monotonic_ns() - first_done_ns) / 1e9, 2)

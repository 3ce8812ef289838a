"""``mer-bench frame``: what a frame asks of numpy, OpenCV and memory. It reads no clock: load changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np

from mer_live.benchmarks.frame.calls import KINDS, STAGES
from mer_live.benchmarks.frame.memory import faults, taken
from mer_live.benchmarks.inputs import HeldClip, demo_recording
from mer_live.benchmarks.result import Figure, Result
from mer_live.realtime.process import settle_process

_LINES = 25


def run(quick: bool = False) -> Result:
    """The demo clip once with counters, then 10,000 frames of it twice; 90 s, quick (2 s and 1,000 frames) 20 s.

    Raises RuntimeError in the words of the program that counts.
    """
    settle_process()
    frames = 1_000 if quick else 10_000
    result = Result("frame", {"quick": quick, "input": "demo clip, 640x480, 200 fps", "frames": frames})
    counted = _counted(4.0 if quick else None)
    result.figures += _calls(counted["rows"])
    result.details["tables"] = [_lines(counted, kind) for kind in KINDS]
    recording = demo_recording(1.5)
    result.figures += _memory(recording, frames)
    return result


def _counted(seconds: float | None) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "mer_live.benchmarks.frame.calls",
        *([] if seconds is None else [str(seconds)]),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the calls could not be counted: {done.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _calls(rows: dict[str, list[list[int]]]) -> list[Figure]:
    figures = []
    for kind in KINDS:
        if kind not in rows:
            continue
        stages = np.array(rows[kind])
        low, middle, high = np.percentile(stages.sum(1), (25, 50, 75)).tolist()
        note = ", ".join(f"{name} {n:.0f}" for name, n in zip(STAGES, np.median(stages, 0), strict=True))
        figures.append(
            Figure(f"calls in a frame: {kind}", middle, "", len(stages), low, high, note=f"median; {note}")
        )
    return figures


def _memory(recording: HeldClip, frames: int) -> list[Figure]:
    found = taken(recording, frames)
    grew = f"{found.gained_bytes / 1e3:.1f} kB; most in {found.grew[0]}" if found.grew else ""
    figures = [Figure("memory blocks gained", found.blocks, "", found.frames, note=grew)]
    kinds = (("a frame without a decision", found.peaks), ("the frame of a decision", found.decision_peaks))
    for kind, peaks in kinds:
        if len(peaks):
            middle, high, most = (np.percentile(peaks, (50, 99, 100)) / 1e3).tolist()
            note = f"median; p99 {high:.0f}, most {most:.0f}"
            figures.append(Figure(f"memory taken for a while in {kind}", middle, "kB", len(peaks), note=note))
    if sys.platform == "linux":
        figures.append(Figure("page faults per 1,000 frames", faults(recording, frames), "", frames))
    return figures


def _lines(counted: dict[str, Any], kind: str) -> dict[str, Any]:
    n = len(counted["rows"].get(kind, ())) or 1
    rows = [[line, f"{calls / n:.1f}"] for line, calls in counted["lines"].get(kind, ())[:_LINES]]
    return {"title": f"calls by line: {kind}", "columns": ["line", "calls a frame"], "rows": rows}

"""``mer-bench live``: the ``mer-live`` command itself on a 200 fps clip, as its user would run it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mer_live.benchmarks.inputs import looped
from mer_live.benchmarks.result import Figure, Result
from mer_live.realtime.demo.clip import demo_clip


def run(quick: bool = False) -> Result:
    """Run the bundled clip, 30 s of it (quick: 10 s), as a camera and as a file; about a minute in full.

    Raises RuntimeError with the command's own words when it fails.
    """
    seconds = 10 if quick else 30
    result = Result("live", {"quick": quick, "input": f"demo clip, 640x480, 200 fps, {seconds} s of H.264"})
    with tempfile.TemporaryDirectory() as folder:
        clip = looped(demo_clip(), Path(folder) / "clip.mp4", seconds)
        camera, file = (_report(clip, pace, Path(folder)) for pace in ("realtime", "max"))
    result.details = {"realtime": camera, "max": file}
    frames, stages = camera["frames"], camera["stages_ms"]
    final = camera["compute_ms"]["final"]
    n = frames["processed"]
    result.figures += [
        Figure("200 fps camera: frames dropped", frames["dropped"], "", frames["captured"], target=0),
        Figure("200 fps camera: one frame, p50", stages["frame"]["p50"], "ms", n),
        Figure("200 fps camera: one frame, p99", stages["frame"]["p99"], "ms", n, target=3),
        Figure("final event, decided to emitted, p50", final["p50"], "ms", final["n"]),
        Figure("final event, decided to emitted, p99", final["p99"], "ms", final["n"], target=30),
        Figure("file at full speed", file["fps"]["processed"], "fps", n, target=250, better="higher"),
        Figure("start to first frame", camera["startup_s"], "s", 1, target=2),
        Figure("resident memory", camera["memory_mb"], "MB", 1, target=600),
    ]
    return result


def _report(clip: Path, pace: str, folder: Path) -> dict[str, Any]:
    path = folder / f"{pace}.json"
    command = [sys.executable, "-m", "mer_live.realtime.cli", "--video", str(clip), "--pace", pace]
    done = subprocess.run(
        [*command, "--no-ui", "--report", str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"mer-live ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report

"""``mer-bench beside CHECKOUT``: what a frame costs here and in another checkout, by turns in one go.

Processor time is compared, not time on the wall: other work on the machine makes both slower, but not dearer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from mer_live.benchmarks.result import Figure, Result
from mer_live.realtime.demo.clip import demo_clip

_PACKAGES = ("realtime", "engines", "training", "benchmarks")
_SHORT_S, _LONG_S = 2.0, 9.5
"""Of the demo clip: what is done once in a run is taken away."""


def run(checkout: Path, bundle: str = "madtn", rounds: int = 5) -> Result:
    """Whole runs of the command on the demo clip, each ``rounds`` times.

    Raises:
        ValueError: ``checkout`` is none of this project.
        RuntimeError: the command fails there or here; in its own words.
    """
    if not (checkout / "realtime").is_dir():
        raise ValueError(f"{checkout} is no checkout of mer-live: it has no folder realtime")
    trees = {"here": Path(__file__).parents[1], "there": checkout.resolve()}
    cost_ms: dict[str, list[float]] = {name: [] for name in trees}
    median_ms: dict[str, list[float]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory() as folder:
        for name, tree in trees.items():
            (Path(folder) / name / "mer_live").mkdir(parents=True)
            for package in _PACKAGES:
                (Path(folder) / name / "mer_live" / package).symlink_to(tree / package)
        for _ in range(rounds):
            for name in trees:
                begin_s, begun, _ = _run(Path(folder) / name, _SHORT_S, bundle)
                whole_s, done, p50 = _run(Path(folder) / name, _LONG_S, bundle)
                cost_ms[name].append((whole_s - begin_s) * 1e3 / (done - begun))
                median_ms[name].append(p50)
    settings = {"checkout": str(checkout), "bundle": bundle, "rounds": rounds}
    result = Result("beside", settings, details={"processor_ms": cost_ms, "frame_p50_ms": median_ms})
    for words, values in (("processor time", cost_ms), ("worker, p50", median_ms)):
        for name in trees:
            result.figures.append(_figure(f"a frame {name}: {words}", values[name], "ms"))
        ratios = np.divide(values["here"], values["there"]).tolist()
        result.figures.append(_figure(f"here / there: {words}", ratios, ""))
    return result


def _figure(name: str, values: list[float], unit: str) -> Figure:
    low, middle, high = np.percentile(values, [25, 50, 75]).tolist()
    return Figure(name, middle, unit, len(values), low, high, note="median, quartiles")


def _run(path: Path, seconds: float, bundle: str) -> tuple[float, int, float]:
    """Processor time (s), frames, and the median time of a frame in the worker (ms) of one run."""
    report = path / "report.json"
    command = [sys.executable, "-m", "mer_live.realtime.cli", "--video", str(demo_clip()), "--no-ui"]
    options = ["--duration", str(seconds), "--bundle", bundle, "--backend", "onnxruntime"]
    before = os.times()
    done = subprocess.run(
        [*command, *options, "--report", str(report)],
        env={**os.environ, "PYTHONPATH": str(path)},
        cwd=path,
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    if done.returncode:
        raise RuntimeError(
            f"mer-live of {path.name} ended with {done.returncode}: {done.stderr.strip()[-500:]}"
        )
    content = json.loads(report.read_text(encoding="utf-8"))
    used_s = after.children_user - before.children_user + after.children_system - before.children_system
    return used_s, int(content["frames"]["processed"]), float(content["stages_ms"]["frame"]["p50"])

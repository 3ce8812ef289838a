"""The pictures of a report, each a PNG made with matplotlib from results alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from mer_live.benchmarks.result import Result

_COLOURS = ("#2f6f9f", "#c8553d", "#588157", "#8d6a9f", "#d9a441", "#4a4e69")
_STYLE = {
    "figure.dpi": 110,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
}


def draw(results: list[Result], folder: Path) -> list[Path]:
    """Write every plot that the results have data for; return the files, titles being their stems."""
    makers: dict[str, tuple[str, Callable[[Result], bool]]] = {
        "where-a-frames-time-goes": ("latency", _waterfall),
        "distribution-of-stage-times": ("latency", _distributions),
        "camera-rate-against-drops": ("throughput", _drops),
        "delay-against-camera-rate": ("delay", _delays),
        "soak-memory-and-age": ("throughput", _soak),
    }
    written = []
    for name, (benchmark, make) in makers.items():
        for result in (r for r in results if r.benchmark == benchmark):
            with plt.rc_context(_STYLE):  # type: ignore[arg-type]
                if make(result):
                    path = folder / f"{name}.png"
                    plt.tight_layout()
                    plt.savefig(path)
                    written.append(path)
                plt.close("all")
    return written


def _waterfall(result: Result) -> bool:
    """Bare kernels end to end, and the whole path under them."""
    bare = [t for t in result.times if t.group == "bare kernels"]
    if not bare:
        return False
    _, axes = plt.subplots(figsize=(8, 2.4))
    left = 0.0
    for times, colour in zip(bare, _COLOURS, strict=False):
        axes.barh("bare kernels", times.p50, left=left, color=colour)
        name = times.name.removeprefix("bare ")
        if times.p50 > 0.12:
            axes.text(
                left + times.p50 / 2, 0, f"{name}\n{times.p50:.2f}", ha="center", va="center", color="white"
            )
        left += times.p50
    whole = result.figure("whole path per frame").value or 0.0
    axes.barh("whole path", whole, color="#9a9a9a")
    ratio = result.figure("overhead_ratio").value or 0.0
    axes.text(whole / 2, 1, f"{whole:.2f} ms, ratio {ratio:.2f}", ha="center", va="center", color="white")
    axes.invert_yaxis()
    axes.set_xlabel("ms per frame (medians; whole path: wall clock per frame at max pace)")
    return True


def _distributions(result: Result) -> bool:
    _, axes = plt.subplots(figsize=(8, 3.6))
    wanted = [t for t in result.times if t.curve and (t.group == "whole path" or t.name == "landmarks")]
    for times, colour in zip(wanted, _COLOURS * 3, strict=False):
        axes.plot(times.curve, range(101), label=f"{times.name} (n {times.n})", color=colour)
    axes.set_xscale("log")
    axes.set_xlabel("ms")
    axes.set_ylabel("percent of calls at or below")
    axes.legend(fontsize=8, frameon=False)
    return bool(wanted)


def _drops(result: Result) -> bool:
    lines: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for trial in result.details.get("trials", []):
        name = f"{trial['size'][0]}x{trial['size'][1]}, {trial['sources']} source(s)"
        lines[name].append((trial["fps"], 100 * trial["dropped"] / max(1, trial["captured"])))
    _, axes = plt.subplots(figsize=(8, 3.6))
    for (name, points), colour in zip(lines.items(), _COLOURS * 3, strict=False):
        axes.plot(*zip(*sorted(points), strict=True), "o-", ms=4, label=name, color=colour)
    axes.set_xlabel("camera rate, fps")
    axes.set_ylabel("frames dropped, %")
    axes.legend(fontsize=8, frameon=False)
    return bool(lines)


def _delays(result: Result) -> bool:
    _, panels = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
    for axes, phase in zip(panels, ("provisional", "final"), strict=True):
        for step, colour in zip(("decided", "emitted", "shown"), _COLOURS, strict=False):
            figures = [
                f for f in result.figures if f.name.endswith(f"{phase}: {step}") and f.value is not None
            ]
            rates = [float(f.name.split()[0]) for f in figures]
            axes.plot(rates, [f.value for f in figures], "o-", ms=4, label=step, color=colour)
            axes.fill_between(
                rates, [f.low for f in figures], [f.high for f in figures], alpha=0.12, color=colour
            )
        axes.set_title(
            f"{phase}, after the true {'apex' if phase == 'provisional' else 'offset'}", fontsize=9
        )
        axes.set_xlabel("camera rate, fps")
    panels[0].set_ylabel("ms (median, quartiles)")
    panels[0].legend(fontsize=8, frameon=False)
    return any(f.value is not None for f in result.figures)


def _soak(result: Result) -> bool:
    soak = result.details.get("soak")
    if not soak:
        return False
    _, (memory, age) = plt.subplots(2, 1, figsize=(8, 3.6), sharex=True)
    memory.plot(soak["t_s"], soak["rss_mb"], color=_COLOURS[0])
    memory.set_ylabel("memory, MB")
    memory.set_ylim(bottom=0)
    age.plot(soak["t_s"], soak["age_ms"], color=_COLOURS[1])
    age.set_ylabel("age of newest frame, ms")
    age.set_xlabel("s")
    return True

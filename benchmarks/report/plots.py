"""The pictures of a report, each a PNG made with matplotlib from results alone."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from mer_live.benchmarks.result import Result
from mer_live.engines.files import whole

_COLOURS = ("#2f6f9f", "#c8553d", "#588157", "#8d6a9f", "#d9a441", "#4a4e69")
_FRAME_STAGES = ("crop", "motion", "spotter", "frame")
_STYLE = {
    "figure.dpi": 110,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
}


def draw(results: list[Result], folder: Path) -> list[tuple[str, Path]]:
    """Write every plot that the results have data for; return titles and files."""
    makers: dict[str, tuple[str, str, Callable[[Result], bool]]] = {
        "where-a-frames-time-goes": ("Where a frame's time goes", "latency", _waterfall),
        "where-a-late-frames-time-went": ("Where a late frame's time went", "trace", _late),
        "distribution-of-stage-times": ("Distribution of the times of one frame", "latency", _distributions),
        "camera-rate-against-drops": ("Camera rate against lost frames", "throughput", _drops),
        "delay-against-camera-rate": ("Delay against camera rate", "delay", _delays),
        "an-hour-at-200-fps": ("An hour at 200 fps", "steady", _steady),
        "visitors": ("mer-web while visitors come, go, flood and break", "soak", _visitors),
        "peers": ("What you might pick instead", "peers", _peers),
    }
    written = []
    for name, (title, benchmark, make) in makers.items():
        for result in (r for r in results if r.benchmark == benchmark):
            with plt.rc_context(_STYLE):  # type: ignore[arg-type]
                if make(result):
                    path = folder / f"{name}.png"
                    plt.tight_layout()
                    with whole(path) as partial:
                        plt.savefig(partial, format="png")
                    written.append((title, path))
                plt.close("all")
    return written


def draw_one(result: Result, path: Path) -> None:
    """Write the first plot that ``result`` has data for to ``path``; ValueError where it has none."""
    with TemporaryDirectory() as folder:
        drawn = draw([result], Path(folder))
        if not drawn:
            raise ValueError(f"There is no picture of {result.benchmark}.")
        shutil.move(drawn[0][1], path)


def _waterfall(result: Result) -> bool:
    """Bare kernels end to end, and the whole path under them."""
    bare = [t for t in result.times if t.group == "bare kernels"]
    if not bare:
        return False
    _, axes = plt.subplots(figsize=(8, 2.7))
    left = 0.0
    for times, colour in zip(bare, _COLOURS, strict=False):
        label = f"{times.name.removeprefix('bare ')} {times.p50:.2f}"
        axes.barh("bare kernels", times.p50, left=left, color=colour, label=label)
        left += times.p50
    whole = result.figure("whole path per frame").value or 0.0
    axes.barh("whole path", whole, color="#9a9a9a")
    ratio = result.figure("overhead_ratio").value or 0.0
    axes.text(0.02 * max(left, whole), 1, f"{whole:.2f} ms, ratio {ratio:.2f}", va="center", color="white")
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.legend(fontsize=8, frameon=False, ncols=len(bare), loc="lower left", bbox_to_anchor=(0, 1))
    axes.set_xlabel("ms per frame (medians; whole path: wall clock per frame at max pace)")
    return True


def _late(result: Result) -> bool:
    """Of usual frames and of the slowest: what the worker did, on what, and which other threads had the cores."""
    labels = {
        "worker": "ms of a frame",
        "stages": "ms of a frame",
        "cores": "cores that other threads had meanwhile",
    }
    labels = {kind: label for kind, label in labels.items() if kind in result.details}
    _, panels = plt.subplots(1, len(labels), figsize=(3.8 * len(labels), 2.6))
    for axes, (kind, label) in zip(panels, labels.items(), strict=True):
        at = {"usual": 0.0, "late": 0.0}
        for (name, values), colour in zip(result.details[kind].items(), cycle(_COLOURS), strict=False):
            axes.barh(list(at), [values[row] for row in at], left=list(at.values()), color=colour, label=name)
            at = {row: value + values[row] for row, value in at.items()}
        axes.set_xlabel(label)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.34), ncols=2, fontsize=7, frameon=False)
    panels[0].set_title(f"{result.figures[0].n:,} frames; late: the slowest 1 %", loc="left", fontsize=9)
    return True


def _distributions(result: Result) -> bool:
    _, axes = plt.subplots(figsize=(8, 3.6))
    wanted = [
        t
        for t in result.times
        if t.curve and (t.name == "landmarks" or (t.group == "whole path" and t.name in _FRAME_STAGES))
    ]
    for times, colour in zip(wanted, _COLOURS, strict=False):
        label = f"{times.name} (n {times.n})"
        if times.name == "landmarks":
            axes.plot(times.curve, range(101), "--", label=label + " beside", color=colour)
        else:
            axes.plot(times.curve, range(101), label=label, color=colour)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("ms")
    axes.set_ylabel("percent of frames at or below")
    axes.legend(fontsize=8, frameon=False, ncols=len(wanted), loc="lower left", bbox_to_anchor=(-0.02, 1))
    return bool(wanted)


def _drops(result: Result) -> bool:
    """A rate that failed was tried once more: the better try is drawn, as it is what counts."""
    lines: defaultdict[str, dict[float, float]] = defaultdict(dict)
    for trial in result.details.get("trials", []):
        name = f"{trial['size'][0]}x{trial['size'][1]}, {trial['sources']} source(s)"
        lost = 100 * trial["dropped"] / max(1, trial["captured"])
        lines[name][trial["fps"]] = min(lost, lines[name].get(trial["fps"], lost))
    _, axes = plt.subplots(figsize=(8, 3.6))
    for (name, points), colour in zip(lines.items(), _COLOURS * 3, strict=False):
        axes.plot(*zip(*sorted(points.items()), strict=True), "o-", ms=4, label=name, color=colour)
    axes.set_xlabel("camera rate, fps")
    axes.set_ylabel("frames lost, % (better of two tries)")
    axes.set_ylim(bottom=-1)
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
        axes.set_xticks(result.settings["rates"])
    panels[0].set_ylim(bottom=min(0.0, panels[0].get_ylim()[0]))
    panels[0].set_ylabel("ms (median, quartiles)")
    panels[0].legend(fontsize=8, frameon=False)
    return any(f.value is not None for f in result.figures)


def _steady(result: Result) -> bool:
    kinds = {
        "rss_mb": "memory, MB",
        "handles": "handles",
        "threads": "threads",
        "age_ms": "age of newest\nframe, ms",
        "dropped": "frames lost",
    }
    if panels := _over_time(result, kinds):
        panels[-1].set_xlabel("minutes")
    return bool(panels)


def _visitors(result: Result) -> bool:
    """Memory, threads and handles of the server over time; dots where nobody was in."""
    kinds = {"rss_mb": "memory, MB", "threads": "threads", "handles": "handles", "sessions": "sessions"}
    panels = _over_time(result, kinds)
    if not panels:
        return False
    empty = result.details.get("empty", [])
    for axes, kind in zip(panels[:-1], kinds, strict=False):
        axes.plot([s["t_s"] / 60 for s in empty], [s[kind] for s in empty], "o", ms=4, color="black")
    panels[0].plot([], [], "o", ms=4, color="black", label="nobody in")
    panels[0].legend(fontsize=8, frameon=False, loc="lower right")
    panels[-1].set_xlabel(f"minutes; {sum(result.details['visits'].values())} visits")
    return True


def _over_time(result: Result, kinds: dict[str, str]) -> list[Axes]:
    """A panel for each of ``kinds``, from ``samples``; none without any."""
    samples = result.details.get("samples")
    if not samples:
        return []
    _, panels = plt.subplots(len(kinds), 1, figsize=(8, 1.5 * len(kinds)), sharex=True)
    for axes, (kind, words), colour in zip(panels, kinds.items(), _COLOURS, strict=False):
        axes.plot([s["t_s"] / 60 for s in samples], [s[kind] for s in samples], lw=0.8, color=colour)
        axes.set_ylabel(words)
        axes.set_ylim(0, 1.1 * max(1, *(s[kind] for s in samples)))
    return list(panels)


def _peers(result: Result) -> bool:
    """Time of one frame (median to p99), and the share of a live camera's frames that is looked at."""
    if not result.times:
        return False
    _, (time, share) = plt.subplots(1, 2, figsize=(8, 0.45 * len(result.times) + 1.2), sharey=True)
    for at, (times, colour) in enumerate(zip(result.times, _COLOURS * 3, strict=False)):
        time.plot([times.p50, times.p99], [at, at], "-", lw=3, color=colour)
        time.plot([times.p50], [at], "o", color=colour)
        seen = result.figure(f"{times.name}: frames seen").value or 0.0
        share.barh(at, seen, height=0.5, color=colour)
        share.text(seen + 1, at, f"{seen:.0f}", va="center")
    time.set_yticks(range(len(result.times)), [times.name for times in result.times])
    time.invert_yaxis()
    time.set_xscale("log")
    time.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    time.xaxis.set_minor_formatter(NullFormatter())
    ends = [ms for times in result.times for ms in (times.p50, times.p99)]
    time.set_xlim(10 ** np.floor(np.log10(min(ends))), 10 ** np.ceil(np.log10(max(ends))))
    time.set_xlabel("ms a frame: median (dot) to p99")
    share.set_xlim(0, 112)
    share.set_xlabel(f"% of a {result.settings['fps']:.0f} fps camera's frames looked at")
    return True

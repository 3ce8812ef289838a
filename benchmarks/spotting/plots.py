"""Pictures of the spotting benchmark: a timeline of each clip, precision against recall."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.types import Span
from mer_live.training.pictures import figure, save
from mer_live.training.spotter.injected import SPEAKING_PX
from mer_live.training.spotter.match import Judgement

_STATES = {"provisional": "goldenrod", "final": "tab:orange", "settled": "tab:red"}
_PARTS = ("brow_inner", "lid", "cheek", "mouth", "chin")


def timeline(result: Judgement, path: Path) -> None:
    """Five parts of a face over time, what is true, whether it speaks, and every state of every decision."""
    recording = result.recording
    seen = [m for m in recording.motions if m is not None]
    if not seen:
        return
    t = np.array([m.t_ns for m in seen]) * 1e-9
    values = np.stack([m.regions for m in seen])
    width = max(9.0, float(t[-1] - t[0]) * 0.9)
    picture, axes = figure(width, 8.0, len(_PARTS) + 1, sharex=True)
    for axis, part in zip(axes[:-1], _PARTS, strict=True):
        for k in region(part):
            drawn = values[:, k, 1] - np.median(values[:, k, 1])
            axis.plot(t, drawn, linewidth=0.8, label=REGIONS[k].replace("_", " "))
        for truth in recording.truths:
            axis.axvspan(*_ends_s(truth.span), color="green", alpha=0.2)
        for d in result.decisions:
            colour = "tab:red" if d.stands else "gray"
            axis.axvline(d.span.apex.t_ns * 1e-9, color=colour, linewidth=0.8, linestyle="--")
        axis.set_ylim(-4, 4)
        axis.set_ylabel(f"{part.replace('_', ' ')}, px")
        axis.legend(loc="lower left", fontsize=6)
    _decided(axes[-1], result)
    axes[0].set_title(f"{recording.name}: vertical displacement, px of the 224 px crop, down is positive")
    axes[-1].set_xlabel("s")
    save(picture, path, 70)


def _ends_s(span: Span) -> tuple[float, float]:
    return span.onset.t_ns * 1e-9, span.end.t_ns * 1e-9


def _decided(axis: Any, result: Judgement) -> None:
    """Rows: truth, speaking, then each state from the moment when it was decided on."""
    recording = result.recording
    rows = ("truth", "speaking", "provisional", "final", "settled")
    for truth in recording.truths:
        start, end = _ends_s(truth.span)
        axis.broken_barh([(start, end - start)], (-0.4, 0.8), color="green", alpha=0.6)
        axis.text(start, 0, f" {truth.part} {truth.intensity_px:.1f}", fontsize=6, va="center")
    for kind, start, end in recording.distractors:
        axis.broken_barh([(start * 1e-9, (end - start) * 1e-9)], (-0.4, 0.8), color="gray", alpha=0.2)
        axis.text(start * 1e-9, 0, kind, fontsize=6, color="gray", va="center")
    if recording.mouth_px is not None:
        speaks = np.isfinite(recording.mouth_px) & (recording.mouth_px >= SPEAKING_PX)
        axis.fill_between(recording.times_ns * 1e-9, 0.6, 1.4, where=speaks, color="tab:blue", alpha=0.4)
    for d in result.decisions:
        start, end = _ends_s(d.span)
        for row, (state, at) in enumerate(
            zip(_STATES, (d.announced_ns, d.final_ns, d.settled_ns), strict=True), 2
        ):
            if at is None:
                continue
            # The bar is the movement, the mark the moment when it was decided on.
            pale = 0.3 if d.withdrawn else 0.9
            axis.broken_barh([(start, end - start)], (row - 0.4, 0.8), color=_STATES[state], alpha=pale)
            axis.plot([at * 1e-9], [row], marker="|", color="black")
        if d.withdrawn:
            axis.text(end, 4, f" {d.withdrawn}", fontsize=6, va="center")
    axis.set_yticks(range(len(rows)), rows)
    axis.set_ylim(len(rows) - 0.4, -0.6)


def precision_recall(curves: dict[str, Sequence[dict[str, Any]]], path: Path) -> None:
    """Precision against recall of each set, one point a sensitivity."""
    picture, axis = figure(6.0, 5.0)
    for name, points in curves.items():
        drawn = [p for p in points if p["precision"] is not None and p["recall"] is not None]
        axis.plot([p["recall"] for p in drawn], [p["precision"] for p in drawn], marker=".", label=name)
        for p in drawn:
            axis.annotate(f"{p['sensitivity']:g}", (p["recall"], p["precision"]), fontsize=6)
    axis.set_xlim(0, 1.02)
    axis.set_ylim(0, 1.02)
    axis.set_xlabel("recall, 1.5 px and more, IoU 0.5")
    axis.set_ylabel("precision")
    axis.legend(fontsize=7)
    save(picture, path, 70)

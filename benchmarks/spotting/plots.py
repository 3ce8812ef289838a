"""Pictures of the spotting benchmark: a timeline per clip, reliability of the score, precision against recall."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.training.spotter.match import Result


def _axes(rows: int, width: float, height: float) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(rows, 1, figsize=(width, height), sharex=True, squeeze=False)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    import matplotlib.pyplot as plt

    figure.tight_layout()
    figure.savefig(path, dpi=70)
    plt.close(figure)


def timeline(result: Result, path: Path) -> None:
    """Vertical displacement of five parts of the face, the truth (green), distractors (gray), decisions."""
    recording = result.recording
    seen = [m for m in recording.motions if m is not None]
    if not seen:
        return
    t = np.array([m.t_ns for m in seen]) * 1e-9
    values = np.stack([m.regions for m in seen])
    figure, axes = _axes(5, max(12.0, float(t[-1] - t[0]) * 0.9), 9.0)
    for axis, part in zip(axes[:, 0], ("brow_inner", "lid", "cheek", "mouth", "chin"), strict=True):
        for k in region(part):
            drawn = values[:, k, 1] - np.median(values[:, k, 1])
            axis.plot(t, drawn, linewidth=0.8, label=REGIONS[k])
        for kind, start, end in recording.distractors:
            axis.axvspan(start * 1e-9, end * 1e-9, color="gray", alpha=0.15)
            if part == "brow_inner":
                axis.text(start * 1e-9, 3.2, kind, fontsize=7, color="gray")
        for truth in recording.truths:
            axis.axvspan(truth.onset_ns * 1e-9, truth.offset_ns * 1e-9, color="green", alpha=0.2)
            axis.axvline(truth.apex_ns * 1e-9, color="green", linewidth=0.8)
        for d in result.decisions:
            colour = "red" if d.stands else "orange"
            axis.axvline(d.apex_ns * 1e-9, color=colour, linewidth=1.0, linestyle="--")
            if d.offset_ns is not None:
                axis.axvspan(d.onset_ns * 1e-9, d.offset_ns * 1e-9, ymax=0.08, color="red", alpha=0.6)
        axis.set_ylim(-4, 4)
        axis.set_ylabel(f"{part}, px down")
        axis.legend(loc="lower left", fontsize=6)
    axes[0, 0].set_title(f"{recording.name}: truth green, final events red, withdrawn orange")
    axes[-1, 0].set_xlabel("s")
    _save(figure, path)


def reliability(rows: Sequence[dict[str, float | int]], path: Path) -> None:
    """How often candidates of a score are right."""
    figure, axes = _axes(1, 5.0, 5.0)
    axis = axes[0, 0]
    axis.plot([0, 1], [0, 1], color="gray", linewidth=0.8)
    axis.plot([r["score"] for r in rows], [r["right"] for r in rows], marker="o")
    for r in rows:
        axis.annotate(f"{r['n']}", (r["score"], r["right"]), fontsize=7)
    axis.set_xlabel("score at the offset")
    axis.set_ylabel("part that is a micro-expression (IoU 0.5)")
    _save(figure, path)


def precision_recall(curves: dict[str, Sequence[dict[str, Any]]], path: Path) -> None:
    """Precision against recall of each set, one point a sensitivity."""
    figure, axes = _axes(1, 6.0, 5.0)
    axis = axes[0, 0]
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
    _save(figure, path)

"""Plots of an evaluation as PNG: the confusion matrix and the accuracy of every subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.training.pictures import figure, save


def write_plots(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ``confusion-VARIANT.png`` and ``subjects-VARIANT.png`` for each variant of a report.

    Raises:
        ImportError: Matplotlib is not installed (it is in the ``train`` extra).
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for variant, scored in report["variants"].items():
        title = f"{report['method']}, {report['protocol']}, {variant}"
        written.append(_confusion(scored, title, folder / f"confusion-{variant}.png"))
        written.append(_subjects(scored, title, folder / f"subjects-{variant}.png"))
    return written


def _confusion(scored: Mapping[str, Any], title: str, file: Path) -> Path:
    """All clips together, and beside them each database or task, where there are several."""
    tables = {"full": scored["confusion"]}
    tables |= scored["confusion_of"] if len(scored["confusion_of"]) > 1 else {}
    across = min(len(tables), 4)
    down = -(-len(tables) // across)
    picture, grid = figure(4.6 * across, 4.2 * down, down, across)
    panels = np.atleast_1d(np.asarray(grid, object)).ravel()
    for axes in panels[len(tables) :]:
        axes.set_axis_off()
    for axes, (part, counts) in zip(panels, tables.items(), strict=False):
        _panel(axes, np.array(counts, float), scored["classes"])
        found = scored["scores"][part]
        head = title if part == "full" else part
        axes.set_title(f"{head}\nUF1 {found['uf1']:.3f}  UAR {found['uar']:.3f}", fontsize=9)
    return save(picture, file)


def _panel(axes: Any, counts: NDArray[np.float64], names: Sequence[str]) -> None:
    rows = counts.sum(1, keepdims=True)
    share = np.divide(counts, rows, out=np.zeros_like(counts), where=rows > 0)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set_yticks(range(len(names)), names, rotation=90, va="center", fontsize=8)
    axes.set(xlabel="predicted", ylabel="true")
    for (i, j), value in np.ndenumerate(counts):
        colour = "white" if share[i, j] > 0.5 else "black"
        axes.text(j, i, f"{value:.0f}\n{share[i, j]:.0%}", ha="center", va="center", color=colour, fontsize=8)


def _subjects(scored: Mapping[str, Any], title: str, file: Path) -> Path:
    people = scored["per_subject"]
    names = list(people)
    picture, axes = figure(max(4.0, 0.16 * len(names) + 1.2), 3.6)
    groups = sorted({name.split("/")[0] for name in names})
    for colour, group in enumerate(groups):
        at = [k for k, name in enumerate(names) if name.split("/")[0] == group]
        axes.bar(at, [people[names[k]]["accuracy"] for k in at], color=f"C{colour}", label=group)
    labels = [f"{name.split('/')[-1]} ({people[name]['clips']})" for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=90, fontsize=6)
    axes.set(ylim=(0, 1), ylabel="accuracy", xlabel="subject (clips)", xlim=(-0.7, len(names) - 0.3))
    axes.set_title(title, fontsize=9)
    axes.legend(fontsize=7)
    return save(picture, file)

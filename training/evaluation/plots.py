"""Plots of an evaluation as PNG: the confusion matrix and the accuracy of every subject."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

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
    counts = np.array(scored["confusion"], float)
    rows = counts.sum(1, keepdims=True)
    share = np.divide(counts, rows, out=np.zeros_like(counts), where=rows > 0)
    picture, axes = figure(4.6, 4.2)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = scored["classes"]
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names, rotation=90, va="center")
    axes.set(xlabel="predicted", ylabel="true")
    full = scored["scores"]["full"]
    axes.set_title(f"{title}\nUF1 {full['uf1']:.3f}  UAR {full['uar']:.3f}", fontsize=9)
    for (i, j), value in np.ndenumerate(counts):
        colour = "white" if share[i, j] > 0.5 else "black"
        axes.text(j, i, f"{value:.0f}\n{share[i, j]:.0%}", ha="center", va="center", color=colour)
    return save(picture, file)


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

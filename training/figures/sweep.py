"""UF1 along one setting of a method, as ``mer-train table --vary`` measured it (MADTN's figure 5)."""

from __future__ import annotations

import json
from pathlib import Path

from mer_live.training.pictures import figure, save


def draw_sweep(table: Path, out: Path) -> Path:
    """Draw a line for each table and each choice of the other settings; bars are 95 % intervals over subjects.

    Args:
        table: ``table.json`` of a run with ``--vary METHOD.KEY=VALUE,VALUE,...``; the first KEY is the axis.
        out: PNG.

    Raises:
        ValueError: The table has no such rows.
    """
    lines: dict[str, dict[str, tuple[float, float, float]]] = {}
    axis = ""
    for one in json.loads(table.read_text(encoding="utf-8"))["tables"]:
        for row in one["rows"]:
            method, _, settings = row["row"].partition("/")
            if "=" not in settings or "scores" not in row:
                continue
            (key, value), *rest = (part.split("=") for part in settings.split(","))
            axis = axis or f"{method}.{key}"
            if axis == f"{method}.{key}":
                found = row["scores"]["full"]
                name = ", ".join([one["protocol"], *("=".join(pair) for pair in rest)])
                lines.setdefault(name, {})[value] = (found["uf1"], *found["interval"]["uf1"])
    if not lines:
        raise ValueError(
            f"{table} holds no sweep: make it with mer-train table --vary METHOD.KEY=VALUE,VALUE"
        )
    values = list(dict.fromkeys(value for line in lines.values() for value in line))
    picture, axes = figure(5.2, 3.4)
    for k, (name, line) in enumerate(lines.items()):
        places = [values.index(value) + 0.05 * k for value in line]
        means, lows, highs = zip(*line.values(), strict=True)
        below = [m - low for m, low in zip(means, lows, strict=True)]
        above = [high - m for m, high in zip(means, highs, strict=True)]
        axes.errorbar(
            places, means, [below, above], marker="o", markersize=4, capsize=2, linewidth=1, label=name
        )
    axes.set_xticks(range(len(values)), values)
    axes.set(xlabel=axis, ylabel="UF1, 95 % over subjects")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return save(picture, out)

"""One page about an archive: counts, rates, speaking and usable-face shares of each recording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from pathlib import Path
from string import Template
from typing import Any

from mer_live.engines.files import whole
from mer_live.realtime.batch.tables import flat_row
from mer_live.realtime.types import CLASSES

PAGE = "index.html"
_MOST_ROWS = 5000
_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>mer-live batch</title><style>
:root { color-scheme: light dark; --edge: #8886; --bar: #0f766e; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: 80rem; padding: 0 1rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid var(--edge); white-space: nowrap; }
th:first-child, td:first-child, td.why { text-align: left; } td.why { white-space: normal; min-width: 16rem; }
meter { width: 5rem; }
</style></head><body>
<h1>$title</h1><p>$total</p><p>$note</p>
<div class="wide"><table><thead><tr><th>recording</th><th>length</th><th>fps</th><th>face usable</th><th>speaking</th>
<th>events</th>$heads<th>a minute of usable face</th><th>note</th></tr></thead><tbody>
""")


def write_page(
    rows: Iterable[dict[str, Any]],
    totals: dict[str, Any],
    path: Path,
    title: str,
    classes: Sequence[str] = CLASSES,
) -> None:
    """Write the page, whole or not at all. Raises OSError.

    Args:
        rows: of the recordings; those beyond 5,000 stand in recordings.csv alone.
        totals: as `add_up` gives them.
        path: of the page.
        title: of the archive.
        classes: that events are decided between.
    """
    hours = totals["length_s"] / 3600
    total = (
        f"{totals['recordings']:,} recordings, {hours:,.2f} h, {totals['events']:,} events "
        f"({', '.join(f'{totals[name]:,} {name}' for name in classes)}), "
        f"{_rate(totals['events'], totals['usable_s'])} a minute of usable face; "
        f"{totals['failed']:,} could not be analysed to their end"
    )
    note = "Events as the last word has them, settled or final; none that was withdrawn."
    if totals["recordings"] > _MOST_ROWS:
        note += f" The first {_MOST_ROWS:,} recordings; recordings.csv has all."
    heads = "".join(f"<th>{name}</th>" for name in classes)
    with whole(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.write(_PAGE.substitute(title=escape(title), total=escape(total), note=note, heads=heads))
        for row in islice(rows, _MOST_ROWS):
            file.write(_line(row, classes))
        file.write("</tbody></table></div></body></html>\n")


def add_up(rows: Iterable[dict[str, Any]], classes: Sequence[str] = CLASSES) -> dict[str, Any]:
    """Sums over recordings: ``recordings``, ``failed``, ``events``, one a class, ``length_s``, ``usable_s``."""
    total: dict[str, Any] = dict.fromkeys(("recordings", "failed", "events", *classes), 0)
    total |= {"length_s": 0.0, "usable_s": 0.0}
    for row in (flat_row(row, classes) for row in rows):
        total["recordings"] += 1
        total["failed"] += bool(row["reason"])
        total["length_s"] += row["length_s"]
        total["usable_s"] += row["length_s"] * row["usable"]
        for name in ("events", *classes):
            total[name] += row[name]
    return total


def _line(row: dict[str, Any], classes: Sequence[str]) -> str:
    flat = flat_row(row, classes)
    cells = [
        escape(str(flat["recording"])),
        f"{flat['length_s']:,.1f} s",
        "" if flat["fps"] is None else f"{flat['fps']:.0f}",
        *(f'<meter value="{flat[name]}"></meter> {flat[name]:.0%}' for name in ("usable", "speaking")),
        *(str(flat[name]) for name in ("events", *classes)),
        _rate(flat["events"], flat["length_s"] * flat["usable"]),
    ]
    why = escape("; ".join(filter(None, (flat["reason"], flat["hint"]))))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + f'<td class="why">{why}</td></tr>\n'


def _rate(events: int, usable_s: float) -> str:
    return f"{events / usable_s * 60:.2f}" if usable_s > 0 else "–"

"""The bundled clip: where it lies, and its events held against the truth."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from mer_live.realtime.types import Event, Moment, Span

APEX_TOLERANCE_S = 0.040


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """One rendered micro-expression of the clip."""

    label: str
    span: Span
    """Times count from the clip's first frame; the offset is always known."""


def demo_clip() -> Path:
    """Path of the bundled video. Raises FileNotFoundError when the installation lacks it."""
    with as_file(files("mer_live.realtime") / "demo" / "demo.mp4") as path:
        if not path.is_file():
            raise FileNotFoundError("The demo clip is missing; install mer-live again.")
        return path


def demo_truth() -> list[TrueEvent]:
    """What was rendered into the clip."""
    content = json.loads((files("mer_live.realtime") / "demo" / "demo.json").read_text(encoding="utf-8"))
    return [
        TrueEvent(event["label"], Span(*(_moment(event, part) for part in ("onset", "apex", "offset"))))
        for event in content["events"]
    ]


def _moment(event: dict[str, Any], part: str) -> Moment:
    return Moment(event[f"{part}_frame"], round(event[f"{part}_s"] * 1e9))


def match(truth: TrueEvent, events: Iterable[Event]) -> Event | None:
    """The event whose apex lies within the true one, the nearest to its apex; None if none does."""
    inside = [e for e in events if truth.span.holds(e.span.apex.t_ns)]
    return min(inside, key=lambda e: abs(e.span.apex.t_ns - truth.span.apex.t_ns), default=None)


def demo_table(truth: list[TrueEvent], events: list[Event]) -> tuple[Table, int]:
    """The table that ends ``mer-live --demo``, and how many events were right in class and apex."""
    title = "events against the truth of the clip (error, delay: ms)"
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=0, show_edge=False)  # 60 columns
    for name in ("truth", "at s", "found", "at s", "error", "prob", "delay", "verdict"):
        table.add_column(
            name, justify="left" if name in ("truth", "found", "verdict") else "right", no_wrap=True
        )
    right, matched = 0, set()
    for true in truth:
        event = match(true, events)
        if event is None:
            table.add_row(true.label, _at(true.span), "-", "", "", "", "", "[red]missed")
            continue
        matched.add(event.id)
        error_s = (event.span.apex.t_ns - true.span.apex.t_ns) / 1e9
        good = event.label == true.label and abs(error_s) <= APEX_TOLERANCE_S
        right += good
        error_ms, verdict = f"{1e3 * error_s:+.0f}", "[green]right" if good else "[yellow]wrong"
        table.add_row(true.label, _at(true.span), *_found(event, error_ms), verdict)
    for event in events:
        if event.id not in matched:
            table.add_row("-", "", *_found(event, ""), "[red]false alarm")
    return table, right


def _found(event: Event, error_ms: str) -> tuple[str, ...]:
    probability, delay_ms = f"{event.probs.max():.2f}", f"{event.delay_ns / 1e6:.0f}"
    return event.label, _at(event.span), error_ms, probability, delay_ms


def _at(span: Span) -> str:
    return f"{span.apex.t_ns / 1e9:.3f}"

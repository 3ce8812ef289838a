"""The bundled clip: where it lies, and its events held against the truth."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from mer_live.realtime.types import Event

APEX_TOLERANCE_S = 0.040


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """One rendered micro-expression of the clip; seconds from its first frame."""

    label: str
    onset_s: float
    apex_s: float
    offset_s: float


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
        TrueEvent(event["label"], event["onset_s"], event["apex_s"], event["offset_s"])
        for event in content["events"]
    ]


def match(truth: TrueEvent, events: Iterable[Event]) -> Event | None:
    """The event whose apex lies within the true one, the nearest to its apex; None if none does."""
    inside = [event for event in events if truth.onset_s <= event.apex_ns / 1e9 <= truth.offset_s]
    return min(inside, key=lambda event: abs(event.apex_ns / 1e9 - truth.apex_s), default=None)


def demo_table(truth: list[TrueEvent], events: list[Event]) -> tuple[Table, int]:
    """The table that ends ``mer-live --demo``, and how many events were right in class and apex."""
    table = Table(title="events against the truth of the clip", title_justify="left", box=SIMPLE)
    for name in ("truth", "at s", "found", "at s", "error ms", "prob", "delay ms", "verdict"):
        table.add_column(
            name, justify="left" if name in ("truth", "found", "verdict") else "right", no_wrap=True
        )
    right, matched = 0, set()
    for true in truth:
        event = match(true, events)
        if event is None:
            table.add_row(true.label, f"{true.apex_s:.3f}", "-", "", "", "", "", "[red]missed")
            continue
        matched.add(event.id)
        error_s = event.apex_ns / 1e9 - true.apex_s
        good = event.label == true.label and abs(error_s) <= APEX_TOLERANCE_S
        right += good
        error_ms, verdict = f"{1e3 * error_s:+.0f}", "[green]right" if good else "[yellow]wrong"
        table.add_row(true.label, f"{true.apex_s:.3f}", *_found(event, error_ms), verdict)
    for event in events:
        if event.id not in matched:
            table.add_row("-", "", *_found(event, ""), "[red]false alarm")
    return table, right


def _found(event: Event, error_ms: str) -> tuple[str, ...]:
    probability, delay_ms = f"{event.probs.max():.2f}", f"{event.delay_ns / 1e6:.0f}"
    return event.label, f"{event.apex_ns / 1e9:.3f}", error_ms, probability, delay_ms

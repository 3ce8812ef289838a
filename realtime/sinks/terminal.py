"""The terminal display: a live panel on a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mer_live.realtime.clock import StartTime
from mer_live.realtime.measured.figures import InputMeter
from mer_live.realtime.measured.stats import Counters
from mer_live.realtime.motion.picture import PictureState
from mer_live.realtime.path import FacePath
from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.types import Event, Marker

COLOURS = {"negative": "red", "positive": "green", "surprise": "yellow"}
_OTHER = "cyan"
"""Colour of a class of another scheme."""
_BLOCKS = " ▁▂▃▄▅▆▇█"
_FULL_SCALE = 12.0
"""Spotter level, in noise units, that fills a sparkline column."""
_SHOWN = 6
_WIDE, _MEDIUM = 126, 80
"""Columns from which on an event shows the bars of all classes, and its delay."""


class Running(Protocol):
    """What is shown of a pipeline."""

    counters: Counters
    input: InputMeter
    paths: tuple[FacePath, ...]
    source: FrameSource

    @property
    def dropped(self) -> int:
        """Frames lost."""

    @property
    def picture(self) -> PictureState:
        """What the picture does of itself."""

    def take_level(self) -> float:
        """Highest level since the last call."""


class TerminalSink:
    """Shows the newest events, and on a terminal the state of the pipeline as well.

    ``write`` is called by the recogniser's thread and only files the event away; all drawing is done
    by the main thread in ``refresh``, so the data path never waits for a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._events: OrderedDict[tuple[str | None, int], Event | Marker] = OrderedDict()
        self._unprinted: deque[Event | Marker] = deque()
        self._levels: dict[Running, deque[float]] = {}
        self._live: Live | None = None

    def write(self, item: Event) -> None:
        """File ``item`` for the next refresh."""
        self._unprinted.append(item)

    def started(self, start: StartTime) -> None:
        """A terminal shows times from the start."""

    def mark(self, marker: Marker) -> None:
        """File ``marker`` for the next refresh."""
        self._unprinted.append(marker)

    def refresh(self, *pipelines: Running) -> None:
        """Draw; the main thread calls it some eight times a second with every source, and once more at the end."""
        fresh = [self._unprinted.popleft() for _ in range(len(self._unprinted))]
        if not self._console.is_terminal:
            for item in fresh:
                self._console.print(plain_line(item), highlight=False, soft_wrap=True)
            return
        for item in fresh:
            key = ("marker", item.t_ns) if isinstance(item, Marker) else (item.source, item.id)
            self._events[key] = item
            if len(self._events) > _SHOWN:
                self._events.popitem(last=False)
        for pipeline in pipelines:
            self._levels.setdefault(pipeline, deque(maxlen=60)).append(pipeline.take_level())
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)
            self._live.start()
        events = Table.grid(padding=(0, 2))
        for item in self._events.values():
            events.add_row(*_event_cells(item, self._console.width))
        panels = [self._panel(pipeline) for pipeline in pipelines]
        shown = events if self._events else Text("no event yet", style="dim")
        self._live.update(Group(*panels, Text(), shown), refresh=True)

    def close(self) -> None:
        """Nothing to finish on the recogniser's thread; see ``end``."""

    def end(self) -> None:
        """Leave the terminal as it was found; the last picture stays."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _panel(self, pipeline: Running) -> Table:
        count, source = pipeline.counters, pipeline.source
        rows = Table.grid(padding=(0, 2))
        rows.add_column(style="dim", no_wrap=True)
        rows.add_column()
        age = f"  age {count.age_ns / 1e6:.0f} ms" if source.epoch_ns is not None else ""
        rows.add_row("rate", f"{count.rate.hz:.1f} fps measured")
        dropped = Text(f"{pipeline.dropped:,}", style="bold red" if pipeline.dropped else "")
        rows.add_row("frames", Text.assemble(f"{count.processed:,} processed  ", dropped, f" dropped{age}"))
        picture = "" if pipeline.picture == "ok" else f"  picture {pipeline.picture}"
        usable = pipeline.input.people
        for path in pipeline.paths:
            who = path.tracker.person
            name = f"face {who}" if who and len(pipeline.paths) > 1 else "face"
            share = f"  usable {usable[who]:.0%}" if who in usable else ""
            rows.add_row(name, f"{path.tracker.status}  phase {path.spotter.phase}{share}{picture}")
        room = max(8, self._console.width - len("source") - 3)
        rows.add_row("motion", Text(sparkline(self._levels[pipeline])[-room:], style="cyan"))
        if (hint := source.hint) is not None:
            rows.add_row("hint", Text(hint, style="yellow"))
        times = (
            f"{name} {median:.2f}"
            for name in ("crop", "motion", "spotter", "frame")
            if (median := count.stages[name].quantile_ms(0.5)) is not None
        )
        rows.add_row("ms", "  ".join(times))
        if len(self._levels) > 1:
            rows.add_row("source", source.description)
        return rows


def sparkline(levels: deque[float]) -> str:
    """One character a level, ``_FULL_SCALE`` noise units high."""
    top = len(_BLOCKS) - 1
    return "".join(_BLOCKS[min(top, max(0, round(level / _FULL_SCALE * top)))] for level in levels)


def bar(p: float, width: int = 8) -> str:
    """A probability as a bar of ``width`` characters."""
    filled = round(p * width)
    return "█" * filled + "░" * (width - filled)


def plain_line(item: Event | Marker) -> str:
    """One line for an output that is not a terminal."""
    if isinstance(item, Marker):
        return f"marker {item.t_ns / 1e9:.3f} s  {item.text}"
    where = "" if item.source is None else f"{item.source} "
    if item.state == "withdrawn":
        return f"{where}#{item.id} withdrawn ({item.reason})"
    probs = " ".join(f"{name} {p:.2f}" for name, p in zip(item.classes, item.probs, strict=True))
    whose = "" if item.face is None or item.face.id == 1 else f"  face {item.face.id}"
    return (
        f"{where}#{item.id} {item.state:<11} {_said(item):<8} apex {item.span.apex.t_ns / 1e9:.3f} s  {probs}  "
        f"delay {item.delay_ns / 1e6:.0f} ms  compute {item.compute_ns / 1e6:.1f} ms{whose}"
    )


def _said(item: Event) -> str:
    return item.label if item.kind == "micro" else f"{item.label} ({item.kind})"


def _event_cells(item: Event | Marker, width: int) -> list[Text]:
    """The columns of a row; fewer of them, and one bar, where the terminal is narrow."""
    if isinstance(item, Marker):
        return [Text("mark"), Text(item.text, style="bold magenta"), Text(), Text(f"{item.t_ns / 1e9:.3f} s")]
    if item.state == "withdrawn":
        return [
            Text(f"#{item.id}"),
            Text("-"),
            Text(item.reason, style="dim"),
            Text(),
            Text("withdrawn", style="dim"),
        ]
    shown = zip(item.classes, item.probs, strict=True) if width >= _WIDE else [(item.label, max(item.probs))]
    bars = Text("  ").join(
        Text(
            f"{name[:3]} {bar(float(p))} {p:.2f}" if width >= _WIDE else f"{bar(float(p))} {p:.2f}",
            COLOURS.get(name, _OTHER),
        )
        for name, p in shown
    )
    cells = [
        Text(f"#{item.id}"),
        Text(_said(item), style=f"bold {COLOURS.get(item.label, _OTHER)}"),
        bars,
        Text(f"{item.span.apex.t_ns / 1e9:.3f} s"),
        Text(item.state, style="italic" if item.state == "provisional" else ""),
        Text("" if item.face is None or item.face.id == 1 else f"face {item.face.id}"),
    ]
    return [*cells, Text(f"delay {item.delay_ns / 1e6:.0f} ms", style="dim")] if width >= _MEDIUM else cells

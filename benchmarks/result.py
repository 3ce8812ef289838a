"""The one result format of the whole ``mer-bench`` family: figures with targets, times with quantiles."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.markup import escape
from rich.table import Table

from mer_live.benchmarks import kernel
from mer_live.engines.files import write_json
from mer_live.engines.versions import versions
from mer_live.realtime.measured.stats import Durations

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that somebody may quote, beside the target it was measured against."""

    name: str
    value: float | None
    """None: it could not be measured; ``note`` says why."""
    unit: str = ""
    n: int | None = None
    """How many things the value rests on."""
    low: float | None = None
    high: float | None = None
    """Spread: quartiles of repeats, or the bounds of an interval; ``note`` says which."""
    target: float | None = None
    better: Literal["lower", "higher"] = "lower"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a target or a value."""
        if self.target is None or self.value is None:
            return None
        return self.value <= self.target if self.better == "lower" else self.value >= self.target


@dataclass(frozen=True, slots=True)
class Times:
    """Quantiles of one stage's durations, ms."""

    name: str
    n: int
    p50: float
    p95: float
    p99: float
    max: float
    group: str = ""
    curve: Sequence[float] = ()
    """Percentiles 0, 1 .. 100, ms: enough to draw the distribution and to resample it."""

    @classmethod
    def of(cls, name: str, ns: Sequence[int] | np.ndarray[Any, Any], group: str = "") -> Times:
        """Quantiles of durations in nanoseconds; ValueError for none."""
        if not len(ns):
            raise ValueError(f"no durations of {name} were taken")
        ms = np.asarray(ns, np.float64) / 1e6
        curve = np.percentile(ms, np.arange(101))
        p50, p95, p99 = curve[[50, 95, 99]].tolist()
        return cls(
            name, len(ms), p50, p95, p99, float(ms.max()), group, [round(v, 6) for v in curve.tolist()]
        )

    @classmethod
    def counted(cls, name: str, durations: Durations, group: str = "") -> Times:
        """Quantiles of a pipeline's stage, of which at least one was counted."""
        curve = [durations.quantile_ms(percent / 100) or 0.0 for percent in range(101)]
        return cls(name, durations.n, curve[50], curve[95], curve[99], durations.max_ns / 1e6, group, curve)


@dataclass(slots=True)
class Result:
    """What one benchmark found, on which machine, with which settings."""

    benchmark: str
    settings: dict[str, Any] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    times: list[Times] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    """What plots and later questions need: curves, per-clip truth and decisions; ``tables`` is a list of
    {"title", "columns", "rows"} of text, shown as they are."""
    machine: dict[str, Any] = field(default_factory=lambda: machine())
    versions: dict[str, str] = field(default_factory=versions)
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))

    def figure(self, name: str) -> Figure:
        """The figure of that name; KeyError when there is none."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(name)

    def time_kernel(self) -> None:
        """Time r some more: to be called between and after what is measured, never beside it."""
        self.machine.update(kernel.timed(self.machine["flow_bursts_ms"]))

    def in_r(self, figure: Figure) -> float | None:
        """A time as a multiple of `flow_ms`, which was taken in the same run; None where either is missing."""
        unit_ms: float | None = self.machine.get("flow_ms")
        return (
            figure.value / unit_ms if unit_ms and figure.unit == "ms" and figure.value is not None else None
        )

    def to_json(self) -> dict[str, Any]:
        """Plain object; ``read`` takes it back."""
        return {"format": FORMAT, **asdict(self)}

    def write(self, path: Path) -> None:
        """Write the JSON whole or not at all."""
        write_json(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> Result:
        """Read what ``write`` wrote; ValueError for anything else."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError(f"{path} is of another format; run the benchmark again.")
            content["figures"] = [Figure(**figure) for figure in content["figures"]]
            content["times"] = [Times(**times) for times in content["times"]]
            return cls(**content)
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} is not a result of mer-bench ({error}).") from error

    def tables(self) -> list[Table]:
        """Tables for the terminal: figures with targets, then times."""
        found = [self._figure_table(), self._times_table(), *map(_text_table, self.details.get("tables", ()))]
        return [table for table in found if table.row_count]

    def _figure_table(self) -> Table:
        unit = kernel.words(self.machine)
        table = Table(title=f"{self.benchmark}: figures{unit and f'; {unit}'}", title_justify="left")
        for name in ("figure", "value", "spread", "unit", "r", "n", "target", "", "note"):
            table.add_column(name, justify="right" if name in ("value", "r", "n", "target") else "left")
        for f in self.figures:
            sign = "<=" if f.better == "lower" else ">="
            verdict = {True: "[green]met", False: "[red]short", None: ""}[f.met]
            spread = "" if f.low is None or f.high is None else f"{f.low:.3g}..{f.high:.3g}"
            table.add_row(
                f.name,
                "-" if f.value is None else f"{f.value:.4g}",
                spread,
                f.unit,
                "" if (ratio := self.in_r(f)) is None else f"{ratio:.1f}",
                "" if f.n is None else str(f.n),
                "" if f.target is None else f"{sign} {f.target:g}",
                verdict,
                f.note,
            )
        return table

    def _times_table(self) -> Table:
        table = Table(title=f"{self.benchmark}: times, ms", title_justify="left")
        for name in ("stage", "p50", "p95", "p99", "max", "n"):
            table.add_column(name, justify="left" if name == "stage" else "right")
        group = None
        for t in self.times:
            if t.group and t.group != group:
                table.add_row(f"[bold]{t.group}")
            group = t.group
            table.add_row(t.name, *(f"{ms:.3f}" for ms in (t.p50, t.p95, t.p99, t.max)), str(t.n))
        return table


def _text_table(content: dict[str, Any]) -> Table:
    table = Table(title=content["title"], title_justify="left")
    for name in content["columns"]:
        table.add_column(escape(name))
    for row in content["rows"]:
        table.add_row(*map(escape, row))
    return table


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        **kernel.timed(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()

"""The figures that README prints are those of the committed results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from support.site import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def row(begin: str) -> str:
    """What README says was measured, in the row that begins so."""
    (line,) = [line for line in README.splitlines() if line.startswith(f"| {begin}")]
    return re.sub(r"\*\*", "", line.split(" | ")[1])


def figure(benchmark: str, name: str) -> tuple[float, int]:
    """Value and n."""
    text = (ROOT / "benchmarks" / "results" / f"{benchmark}.json").read_text("utf-8")
    (found,) = [f for f in json.loads(text)["figures"] if f["name"] == name]
    return found["value"], found["n"]


def share(value: float) -> str:
    return "1.0" if value > 0.995 else f"{value:.2f}".removeprefix("0")


FALSE_ALARMS = "false alarms a minute, talkers"
PUT_IN = "injected, speaking, 1.5 px+: recall"
ROWS: tuple[tuple[str, str, str, Callable[[float, int], str]], ...] = (
    (
        "people who talk",
        "spotting",
        f"settled {FALSE_ALARMS}, mean over people",
        lambda v, n: f"{share(v)} (",
    ),
    (
        "people who talk",
        "spotting",
        f"final {FALSE_ALARMS}, mean over people",
        lambda v, n: f"({share(v)}) ({n} people",
    ),
    (
        "people who talk",
        "spotting",
        f"settled {FALSE_ALARMS}, all minutes alike",
        lambda v, n: f"minutes alike {share(v)}",
    ),
    (
        "settled events",
        "spotting",
        "scored 0.6 to 0.8 on natural video: true",
        lambda v, n: f"{v * n:.0f} of {n};",
    ),
    (
        "settled events",
        "spotting",
        "scored 0.8 to 1 on natural video: true",
        lambda v, n: f"; {v * n:.0f} of {n}",
    ),
    ("movements", "spotting", f"{PUT_IN} at precision .85, upper face", lambda v, n: f"{share(v)} ({n}) /"),
    ("movements", "spotting", f"{PUT_IN} at precision .85, all", lambda v, n: f"/ {share(v)} ({n})"),
    ("movements", "spotting", f"{PUT_IN}, upper", lambda v, n: f"{share(v)} / "),
    ("the same while", "spotting", "injected, silent, 1.5 px+", lambda v, n: f"{share(v)} ({n})"),
    ("animated stills", "spotting", "animated 200 fps: F1, 1.5 px+", lambda v, n: f"{share(v)} ({n}) / "),
    ("animated stills", "spotting", "animated 100 fps: F1, 1.5 px+", lambda v, n: f"/ {share(v)} ({n})"),
    ("animated stills", "spotting", "animated 50 fps: F1, 1.5 px+", lambda v, n: f"/ {share(v)} ({n}) / "),
    ("animated stills", "spotting", "animated 25 fps: F1, 1.5 px+", lambda v, n: f"/ {share(v)} ({n})"),
    ("delay at 200 fps", "spotting", "provisional delay p50, 200 fps", lambda v, n: f"{v:.0f} ({n}) / "),
    ("delay at 200 fps", "spotting", "final delay p50, 200 fps", lambda v, n: f"/ {v:.0f} ({n}) / "),
    ("delay at 200 fps", "spotting", "settled delay p50, 200 fps", lambda v, n: f"/ {v:.0f} ({n})"),
    ("200 fps camera", "live", "200 fps camera: frames dropped", lambda v, n: f"{v:.0f} ({n})"),
    ("10 minutes", "record", "crops, 200 fps: frames that the analysis dropped", lambda v, n: f"{v:.0f}, "),
    ("10 minutes", "record", "crops, 200 fps: frames not recorded", lambda v, n: f", {v:.0f} ({n:,})"),
    ("20 events", "minute", "events decided by keyboard", lambda v, n: f"{v:.0f} s ({n})"),
    ("a file at full speed", "live", "file at full speed", lambda v, n: f"{v:.0f} fps ({n})"),
    ("final event", "live", "final event, decided to emitted, p50", lambda v, n: f"{v:.0f} ms ({n})"),
)


@pytest.mark.parametrize(("begin", "benchmark", "name", "words"), ROWS, ids=[row[2] for row in ROWS])
def test_readme_agrees_with_the_results(
    begin: str, benchmark: str, name: str, words: Callable[[float, int], str]
) -> None:
    assert words(*figure(benchmark, name)) in row(begin), "README and benchmarks/results differ"

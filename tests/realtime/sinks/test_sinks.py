from __future__ import annotations

import csv
import json
import re
from collections import deque
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from support.events import FINAL, GONE, PROVISIONAL

from mer_live.realtime.clock import StartTime
from mer_live.realtime.sinks import CsvSink, JsonlSink, check_events_path, event_line, open_sink
from mer_live.realtime.sinks.shared import SharedSink
from mer_live.realtime.sinks.terminal import TerminalSink, bar, plain_line, sparkline
from mer_live.realtime.types import Event, Marker


def test_a_record_has_the_documented_fields() -> None:
    assert event_line(PROVISIONAL) == {
        "type": "event",
        "id": 3,
        "revision": 1,
        "state": "provisional",
        "label": "surprise",
        "probs": {"negative": 0.1, "positive": 0.2, "surprise": 0.7},
        "score": 0.9,
        "onset_s": 0.05,
        "apex_s": 0.15,
        "offset_s": None,
        "onset_frame": 10,
        "apex_frame": 30,
        "offset_frame": None,
        "decided_s": 0.19,
        "delay_ms": 40.0,
        "compute_ms": 12.346,
        "face": {"id": 2, "box": [10, 20, 110, 140]},
        "engine": "madtn+atnet",
        "backend": "openvino",
    }


def test_jsonl_is_complete_after_every_write(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    sink = JsonlSink(path)
    sink.write(PROVISIONAL)
    assert json.loads(path.read_text()) == event_line(PROVISIONAL)
    sink.write(GONE)
    assert [json.loads(line)["type"] for line in path.read_text().splitlines()] == ["event", "withdrawn"]
    sink.close()


def test_csv_is_complete_after_every_write(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    sink = CsvSink(path)
    sink.write(PROVISIONAL)
    sink.write(GONE)
    with path.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["label"], first["prob_surprise"], first["offset_s"]) == ("surprise", "0.7", "")
    assert (first["face"], first["face_box"]) == ("2", "10 20 110 140")
    assert (second["type"], second["reason"]) == ("withdrawn", "too long")
    sink.close()


def test_jsonl_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    sink = open_sink("-")
    sink.write(PROVISIONAL)
    sink.close()
    assert json.loads(capsys.readouterr().out)["id"] == 3


@pytest.mark.parametrize("path", ["events.txt", "events", "nowhere/e.jsonl"])
def test_a_path_no_sink_can_serve_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        check_events_path(path)


def test_plain_lines_name_state_class_and_delay() -> None:
    line = plain_line(PROVISIONAL)
    assert "provisional" in line
    assert "surprise" in line
    assert "delay 40 ms" in line
    assert plain_line(GONE) == "#3 withdrawn (too long)"


def test_sparkline_and_bar_stay_within_their_scale() -> None:
    assert sparkline(deque([-1.0, 0.0, 6.0, 1e9])) == "  ▄█"
    assert bar(0.0) == "░" * 8
    assert bar(1.0) == "█" * 8


def test_output_that_is_no_terminal_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    sink = TerminalSink(Console(width=200))
    sink.write(PROVISIONAL)
    sink.write(GONE)
    sink.refresh(None)  # type: ignore[arg-type]  # plain lines need no pipeline
    sink.end()
    assert capsys.readouterr().out.splitlines() == [plain_line(PROVISIONAL), plain_line(GONE)]


@pytest.mark.parametrize("width", [60, 80, 130])
def test_a_terminal_of_any_width_shows_an_event_in_a_line(width: int) -> None:
    written = StringIO()
    sink = TerminalSink(Console(width=width, file=written, force_terminal=True, no_color=True))
    for k, event in enumerate((PROVISIONAL, FINAL, GONE)):
        sink.write(replace(event, id=k + 1))
    sink.refresh()
    sink.end()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue()).replace("\r", "").splitlines()
    for begin, words in (("#1", "provisional"), ("#2", "final"), ("#3", "withdrawn")):
        line = next(line for line in shown if line.startswith(begin))
        assert words in line
        assert len(line.rstrip()) <= width
    assert "…" not in written.getvalue()


class Kept:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.items: list[Event] = []
        self.starts: list[StartTime] = []
        self.closed = 0

    def write(self, item: Event) -> None:
        self.items.append(item)

    def started(self, start: StartTime) -> None:
        self.starts.append(start)

    def mark(self, marker: Marker) -> None: ...

    def close(self) -> None:
        self.closed += 1


def test_a_shared_sink_says_which_source_and_ends_with_the_last() -> None:
    kept = Kept()
    shared = SharedSink(kept, 2)
    first, second = shared.of("camera 0"), shared.of("camera 1")
    first.started(StartTime(None, 0, "media"))
    first.write(PROVISIONAL)
    second.write(GONE)
    assert [event_line(item)["source"] for item in kept.items] == ["camera 0", "camera 1"]
    assert "source" not in event_line(PROVISIONAL)
    assert kept.starts[0].to_json()["source"] == "camera 0"
    first.close()
    first.close()
    assert kept.closed == 0
    second.close()
    assert kept.closed == 1
    assert plain_line(kept.items[1]).startswith("camera 1 #3 withdrawn")

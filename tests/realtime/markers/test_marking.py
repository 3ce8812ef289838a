from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import numpy as np
import pytest

from mer_live.realtime.clock import StartTime
from mer_live.realtime.markers.marking import Marking
from mer_live.realtime.measured.stats import Counters
from mer_live.realtime.sinks import CsvSink, JsonlSink
from mer_live.realtime.sinks.fan import SinkFan
from mer_live.realtime.sources.memory import MemorySource
from mer_live.realtime.types import Event, Marker

START = StartTime(1_700_000_000_000_000_000, 40, "CLOCK_MONOTONIC")


class Plain:
    """A sink of events alone."""

    def write(self, item: Event) -> None: ...

    def close(self) -> None: ...


def source(*, live: bool) -> MemorySource:
    made = MemorySource(np.zeros((2, 8, 8, 3), np.uint8), fps=100.0)
    made.epoch_ns = 0 if live else None
    return made


def test_a_marker_has_the_time_at_which_it_came_or_the_one_it_was_given(tmp_path: Path) -> None:
    counters = Counters()
    jsonl, table = JsonlSink(tmp_path / "e.jsonl"), CsvSink(tmp_path / "e.csv")
    sinks = SinkFan([jsonl, table, Plain()])
    marking = Marking(source(live=True), counters, sinks)
    assert marking.mark("too early", "key") is None
    sinks.started(START)
    counters.first_ns = time.monotonic_ns() - 5_000_000_000
    marker = marking.mark(" onset\tof  block ", "key")
    assert marker is not None
    assert marker.text == "onset of block"
    assert 5.0 <= marker.t_ns / 1e9 < 60.0
    assert marking.mark("then", "lsl", counters.first_ns + 7) == Marker(7, "then", "lsl")
    sinks.close()
    marking.mark("after the end", "key")
    start, first, then = map(json.loads, (tmp_path / "e.jsonl").read_text().splitlines())
    assert (start["type"], start["unix_ns"], start["clock"]) == ("start", START.unix_ns, START.clock)
    assert (first["text"], then["t_s"]) == ("onset of block", 0.0)
    rows = list(csv.DictReader((tmp_path / "e.csv").open()))
    assert [(row["type"], row["text"], row["by"], row["onset_s"]) for row in rows] == [
        ("marker", "onset of block", "key", str(first["t_s"])),
        ("marker", "then", "lsl", "0.0"),
    ]
    assert [kept.text for kept in marking.kept] == ["onset of block", "then", "after the end"]


def test_a_recording_that_is_read_as_fast_as_possible_is_marked_at_its_newest_frame() -> None:
    counters = Counters(first_ns=100, newest_ns=5_100)
    assert Marking(source(live=False), counters, SinkFan([])).mark("x", "http") == Marker(5_000, "x", "http")


@pytest.mark.parametrize("text", ["", "  \n", "x" * 201, "a\x1b[2Jb"])
def test_what_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 200"):
        Marking(source(live=True), Counters(first_ns=0), SinkFan([])).mark(text, "http")


def test_a_sink_that_fails_is_an_error_of_the_run_and_not_of_who_marks(tmp_path: Path) -> None:
    class Full(Plain):
        def started(self, start: StartTime) -> None: ...

        def mark(self, marker: Marker) -> None:
            raise OSError("No space left on device")

    marking = Marking(source(live=True), Counters(first_ns=0), SinkFan([Full()]))
    assert marking.mark("x", "key") is not None
    assert isinstance(marking.error, OSError)

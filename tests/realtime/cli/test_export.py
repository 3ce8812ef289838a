from __future__ import annotations

import csv
import json
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.events import FINAL, GONE, PROVISIONAL, SETTLED

from mer_live.realtime.cli.export import export
from mer_live.realtime.clock import start_time
from mer_live.realtime.session.info import write_info
from mer_live.realtime.session.layout import EVENTS, FRAMES, MARKERS, SPEAKING, VIDEO
from mer_live.realtime.session.read import RecordedSession, read_session
from mer_live.realtime.session.review.coder import CoderFile
from mer_live.realtime.sinks import event_line
from mer_live.realtime.sinks.base import start_line
from mer_live.realtime.types import Marker


@pytest.fixture
def session(tmp_path: Path) -> RecordedSession:
    """Two events, the second withdrawn; the analysis began 20 ms after the video's first picture."""
    gone = {**event_line(GONE), "id": 4}
    lines = [
        event_line(PROVISIONAL),
        {**event_line(PROVISIONAL), "id": 4},
        event_line(FINAL),
        gone,
        event_line(SETTLED),
    ]
    (tmp_path / EVENTS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = ["index,t_ns,stretch,picture,anchor,level", "0,1000000000,0,0,,", "4,1020000000,0,4,1,0.50"]
    rows += [f"{k},{1_020_000_000 + (k - 4) * 5_000_000},0,{k},1,0.50" for k in range(5, 80)]
    (tmp_path / FRAMES).write_text("\n".join(rows) + "\n")
    (tmp_path / MARKERS).write_text(json.dumps(Marker(500_000_000, "stimulus 7", "http").to_json()) + "\n")
    told = [{"start_ns": 1_060_000_000, "end_ns": None}, {"start_ns": 1_060_000_000, "end_ns": 1_220_000_000}]
    (tmp_path / SPEAKING).write_text("".join(json.dumps(line) + "\n" for line in told))
    (tmp_path / VIDEO).touch()
    start = {
        "utc": "2026-11-25T10:00:00+00:00",
        "unix_ns": 1,
        "uncertainty_ns": 90,
        "clock": "CLOCK_MONOTONIC",
    }
    write_info(tmp_path, {"record": {"codec": "ffv1"}, "start": start, "versions": {"mer-live": "1"}})
    return read_session(tmp_path)


def test_an_elan_file_reads_back_with_pympi(session: RecordedSession, tmp_path: Path) -> None:
    elan = pytest.importorskip("pympi.Elan", reason="ELAN files need: pip install pympi-ling")
    (path,) = export(session, "elan", tmp_path)
    eaf = elan.Eaf(str(path))
    assert eaf.get_annotation_data_for_tier("class") == [(70, 320, "surprise")]
    assert [a[:2] for a in eaf.get_annotation_data_for_tier("apex")] == [(170, 171)]
    assert eaf.get_annotation_data_for_tier("events")[0][2].startswith("#3 surprise 0.70")
    assert eaf.get_annotation_data_for_tier("markers") == [(520, 521, "stimulus 7")]
    assert eaf.get_linked_files()[0]["RELATIVE_MEDIA_URL"] == f"./{VIDEO}"
    assert ("start_clock", "CLOCK_MONOTONIC") in eaf.get_properties()


def test_what_coders_decided_and_who_spoke_is_exported(session: RecordedSession, tmp_path: Path) -> None:
    mine, hers = CoderFile(tmp_path), CoderFile(tmp_path, "ann")
    mine.add({"op": "accept", "id": "3"})
    hers.add({"op": "reject", "id": "3"})
    hers.add({"op": "comment", "id": "3", "text": "chews"})
    moments = {"onset_frame": 20, "apex_frame": 25, "offset_frame": 40}
    hers.add({"op": "add", "label": "negative", **moments})
    assert session.speaking == [(0.04, 0.2)]
    _, coded = export(session, "csv", tmp_path)
    rows = list(csv.DictReader(coded.open()))
    assert [(row["coder"], row["id"], row["verdict"], row["comment"]) for row in rows] == [
        ("", "3", "accepted", ""),
        ("ann", "3", "rejected", "chews"),
        ("ann", "c3", "accepted", ""),
    ]
    assert (rows[2]["onset_s"], rows[2]["duration"], rows[2]["added"]) == ("0.08", "0.1", "True")
    *_, table = export(session, "bids", tmp_path)
    assert table.name == "sub-01_task-mer_desc-coded_events.tsv"
    assert len(table.read_text().splitlines()) == 4
    elan = pytest.importorskip("pympi.Elan", reason="ELAN files need: pip install pympi-ling")
    (path,) = export(session, "elan", tmp_path)
    eaf = elan.Eaf(str(path))
    assert eaf.get_annotation_data_for_tier("speaking") == [(60, 220, "speaking")]
    assert [one[2] for one in eaf.get_annotation_data_for_tier("coder")] == ["#3 surprise, accepted"]
    assert [one[2] for one in sorted(eaf.get_annotation_data_for_tier("coder-ann"))] == [
        "#3 surprise, rejected chews",
        "added negative, accepted",
    ]


def test_csv_and_bids_hold_the_last_revisions(session: RecordedSession, tmp_path: Path) -> None:
    (path,) = export(session, "csv", tmp_path)
    row, marker = csv.DictReader(path.open())
    assert (marker["type"], marker["onset_s"], marker["text"], marker["id"]) == (
        "marker",
        "0.5",
        "stimulus 7",
        "",
    )
    assert (row["id"], row["state"], float(row["prob_surprise"])) == ("3", "settled", pytest.approx(0.7))
    table, about = export(session, "bids", tmp_path, "02", "interview")
    assert table.name == "sub-02_task-interview_events.tsv"
    row, marker = csv.DictReader(table.open(), delimiter="\t")
    assert (marker["onset"], marker["trial_type"], marker["value"]) == ("0.5", "marker", "stimulus 7")
    assert (row["value"], marker["score"]) == ("n/a", "n/a")
    assert list(row)[:2] == ["onset", "duration"]
    assert (float(row["onset"]), float(row["duration"])) == (0.05, 0.25)
    described = json.loads(about.read_text())
    assert set(row) <= set(described)
    assert described["StartTime"]["uncertainty_ns"] == 90
    with pytest.raises(ValueError, match="letters and digits"):
        export(session, "bids", tmp_path, "0-2")
    with pytest.raises(ValueError, match="elan, csv, bids"):
        export(session, "edf", tmp_path)


def test_what_was_withdrawn_is_not_exported(session: RecordedSession) -> None:
    assert [event["id"] for event in session.last_revisions] == [3]


def _schema() -> dict[str, Any]:
    text = (files("mer_live.realtime.sinks") / "events.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@pytest.mark.parametrize("event", [PROVISIONAL, FINAL, SETTLED, GONE])
def test_every_line_obeys_the_published_schema(event: Any) -> None:
    jsonschema.Draft202012Validator(_schema()).validate(event_line(event))
    described = _schema()["$defs"]["withdrawn" if event is GONE else "event"]["properties"]
    assert set(event_line(event)) == set(described) - {"source", "kind"}, (
        "a field that the schema does not tell of"
    )
    page = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
    assert {name for name in described if f"`{name}`" in page or f'"{name}"' in page} == set(described)


def test_lines_of_the_start_and_of_markers_obey_it_too() -> None:
    validator = jsonschema.Draft202012Validator(_schema())
    for kind, line in (
        ("start", start_line(start_time(time.monotonic_ns(), live=True))),
        ("start", start_line(start_time(0, live=False))),
        ("marker", Marker(5_000_000, "stimulus 7", "lsl").to_json()),
    ):
        validator.validate(line)
        assert set(line) == set(_schema()["$defs"][kind]["properties"]) - {"source"}
    assert not validator.is_valid({"type": "marker", "t_s": 1.0, "text": "", "by": "key"})


def test_the_schema_refuses_what_is_no_event() -> None:
    validator = jsonschema.Draft202012Validator(_schema())
    jsonschema.Draft202012Validator.check_schema(_schema())
    for change in ({"label": "Joy!"}, {"score": 2}, {"id": 0}, {"state": "withdrawn"}):
        assert not validator.is_valid({**event_line(FINAL), **change})

"""Annotations that cannot be, folders with odd names, and the sheets of CAS(ME)^3 and DFME."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import trees

from mer_live.training.datasets import read_dataset
from mer_live.training.datasets.sample import DatasetError


@pytest.mark.parametrize(
    ("onset", "apex", "offset", "kept", "says"),
    [
        ("2", "4", "6", (2, 4, 6), None),
        ("2", "2", "6", (2, None, 6), "apex 2 is the onset and counts as not annotated"),
        ("2", "6", "6", (2, None, 6), "apex 6 is the offset and counts as not annotated"),
        ("2", "9", "6", (2, None, 6), "apex 9 lies outside 2..6"),
        ("2", "\\\\", "6", (2, None, 6), "the apex is '\\\\\\\\' and counts as not annotated"),
        ("2", "-1", "6", (2, None, 6), "the apex is '-1' and counts as not annotated"),
        ("2", "4.4", "6", (2, 4, 6), "the apex 4.4 was rounded to frame 4"),
        ("2", "4,4", "6", (2, 4, 6), "the apex 4,4 was rounded to frame 4"),
        ("-1", "4", "6", (1, 4, 6), "the onset is '-1' and counts as not annotated"),
        ("2.0", "4.0", "6.0", (2, 4, 6), None),
        ("6", "6", "6", None, "onset and offset are both frame 6: there is no movement"),
        ("6", "4", "2", None, "offset 2 lies before onset 6"),
    ],
)
def test_a_row_that_cannot_be_is_named(
    tmp_path: Path,
    onset: str,
    apex: str,
    offset: str,
    kept: tuple[int, int | None, int] | None,
    says: str | None,
) -> None:
    trees.write_frames(tmp_path / "clip", range(1, 9))
    trees.write_frames(tmp_path / "other", range(1, 9))
    (tmp_path / "list.csv").write_text(
        f"path;subject;label;onset;apex;offset\nother;2;surprise;1;4;8\nclip;1;surprise;{onset};{apex};{offset}\n"
    )
    reading = read_dataset("lab", tmp_path / "list.csv", fps=200)
    found = {s.key: (s.onset, s.apex, s.offset) for s in reading.samples}
    assert found.get("lab/001/clip") == kept
    told = [*reading.notes, *(f"{entry.name}: {entry.reason}" for entry in reading.skipped)]
    assert [line.startswith("lab/001/clip: ") for line in told] == [True] * (says is not None)
    assert says is None or says in told[0]


def test_folders_keep_their_whole_name_and_strays_are_named(tmp_path: Path) -> None:
    person = tmp_path / "surprise" / "p1"
    for clip in ("trial 1.1", "trial 1.2", "006"):
        trees.write_frames(person / clip, range(19, 24))
    trees.write_frames(person / "006", [0], "cover.jpg")
    trees.write_frames(person / "both", range(5), "left_{}.jpg")
    trees.write_frames(person / "both", range(5), "right_{}.jpg")
    reading = read_dataset("lab", tmp_path, fps=200)
    assert {s.key: s.onset for s in reading.samples} == {
        "lab/p1/surprise/trial 1.1": 19,
        "lab/p1/surprise/trial 1.2": 19,
        "lab/p1/surprise/006": 19,
    }
    assert reading.notes == ("lab/p1/surprise/006: left out cover.jpg: copies, or no part of the numbering",)
    assert [entry.name for entry in reading.skipped] == ["lab/p1/surprise/both"]
    assert "not clear which pictures belong together" in reading.skipped[0].reason


def test_missing_frames_leave_a_gap_in_time(tmp_path: Path) -> None:
    trees.write_frames(tmp_path / "surprise" / "p1" / "c", [1, 2, 5, 6])
    (sample,) = read_dataset("lab", tmp_path, fps=200).samples
    assert list(sample.frames.steps) == [0, 1, 4, 5]


def test_casme3(tmp_path: Path) -> None:
    reading = read_dataset("CAS(ME)^3", trees.casme3(tmp_path))
    assert [(s.key, s.subject, s.label, s.onset, s.apex, s.fps) for s in reading.samples] == [
        ("casme3/001/a-2", "casme3/001", 0, 2, 4, 30.0),
        ("casme3/001/a-9", "casme3/001", 1, 9, None, 30.0),
        ("casme3/002/j-1", "casme3/002", None, 1, 3, 30.0),
    ]
    assert reading.notes == ("casme3/001/a-9: apex 9 is the onset and counts as not annotated",)
    assert [entry.reason for entry in reading.skipped] == ["no frame folder spNO.2/k/color"]
    assert [
        (v.key, v.subject, [(i.kind, i.onset, i.offset) for i in v.intervals]) for v in reading.videos
    ] == [
        ("casme3/001/a", "casme3/001", [("micro", 2, 8), ("micro", 9, 12)]),
        ("casme3/002/j", "casme3/002", [("micro", 1, 5)]),
    ]


def test_dfme(tmp_path: Path) -> None:
    reading = read_dataset("dfme", trees.dfme(tmp_path))
    assert [(s.key, s.label, s.fps, s.apex, s.action_units) for s in reading.samples] == [
        ("dfme/003/sub0003_01", 1, 500.0, 112, "L12"),
        ("dfme/004/sub0004_01", 2, 200.0, 3, "1+2"),
    ]
    assert [entry.reason for entry in reading.skipped] == ["the rate 'fast' is not a number"]
    with pytest.raises(DatasetError, match=r"no file training_full_with_AU\.xlsx"):
        read_dataset("dfme", tmp_path / "frames")

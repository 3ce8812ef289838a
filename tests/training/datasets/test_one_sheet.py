"""CASME, MMEW and 4DME, as far as their layouts are public."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import trees

from mer_live.benchmarks.published import layouts
from mer_live.training.datasets import read_dataset
from mer_live.training.datasets.sample import DatasetError, Reading
from mer_live.training.datasets.schemes import classes_named, relabelled


def labels(reading: Reading) -> dict[str, int | None]:
    return {sample.key: sample.label for sample in reading.samples}


def test_casme_tells_clips_of_one_name_apart_by_their_subject(tmp_path: Path) -> None:
    reading = read_dataset("CASME", trees.casme(tmp_path))
    assert labels(reading) == {"casme/001/EP01_5": 0, "casme/002/EP01_8": None, "casme/002/EP01_5": 1}
    first = reading.samples[0]
    assert (first.fps, first.onset, first.apex, first.offset) == (60.0, 57, 66, 75)
    assert first.frames.numbers == tuple(range(57, 76))
    assert (first.emotion, first.action_units) == ("disgust", "4")


def test_mmew_lies_below_its_emotions(tmp_path: Path) -> None:
    reading = read_dataset("MMEW", trees.mmew(tmp_path))
    assert labels(reading) == {
        "mmew/001/S01-01-001": 1,
        "mmew/002/S02-03-002": 0,
        "mmew/003/S03-01-001": 2,
        "mmew/004/S04-02-001": None,
    }
    assert {sample.fps for sample in reading.samples} == {90.0}
    assert [(s.name, s.reason) for s in reading.skipped] == [
        ("mmew/003/S03-01-009", "one frame folder S03-01-009 is wanted, there is none")
    ]
    assert "mmew/002/S02-03-002: frames 1..40 wanted, 1..30 used" in reading.notes
    assert reading.samples[1].offset == 30


def test_4dme_has_a_rate_for_each_of_its_cameras_and_classes_of_its_own(tmp_path: Path) -> None:
    root = trees.fourd(tmp_path)
    reading = read_dataset("4DME", root)
    assert labels(reading) == {"4dme/001/01_01": 0, "4dme/001/01_02": 1, "4dme/002/02_01": None}
    assert {sample.fps for sample in reading.samples} == {60.0}
    assert {sample.fps for sample in read_dataset("4dme", root, fps=30).samples} == {30.0}
    five = relabelled(reading, classes_named("5", ["4dme"]))
    assert [five.classes[sample.label or 0] for sample in five.samples] == [
        "negative",
        "positive",
        "repression",
    ]
    assert [note.split(":")[0] for note in five.notes] == ["other", "surprise"]
    three = relabelled(reading, ("negative", "positive", "repression"))
    assert [sample.label for sample in three.samples] == [0, 1, 2]


@pytest.mark.parametrize("name", ["casme", "mmew", "4dme"])
def test_what_is_missing_is_named_with_where_to_get_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="requested from"):
        read_dataset(name, tmp_path)
    layouts.write_sheet(tmp_path / f"{name.upper()}.xlsx", {"a": [["Subject", "Filename"], [1, "x"]]})
    with pytest.raises(DatasetError, match="no column OnsetFrame"):
        read_dataset(name, tmp_path)


def test_two_folders_of_one_clip_are_not_guessed_between(tmp_path: Path) -> None:
    root = trees.mmew(tmp_path)
    trees.write_frames(root / "copies" / "S01-01-001", range(1, 21), "{}.jpg")
    (skipped, *_) = read_dataset("mmew", root).skipped
    assert skipped.name == "mmew/001/S01-01-001"
    assert "copies/S01-01-001" in skipped.reason

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import trees

from mer_live.training.datasets import read_dataset
from mer_live.training.datasets.databases.megc2019 import apply_list, read_list
from mer_live.training.datasets.frames import FrameError, VideoFile
from mer_live.training.datasets.sample import DatasetError, merge


def test_ckplus_runs_from_neutral_to_apex(tmp_path: Path) -> None:
    reading = read_dataset("CK+", trees.ckplus(tmp_path))
    first, second = reading.samples
    assert first.key == "ck+/005/S005_001"
    assert (first.onset, first.apex, first.offset, first.label, first.emotion) == (1, 11, None, 0, "disgust")
    assert first.action_units == "9+17"
    assert (second.label, second.action_units) == (2, "")
    assert [entry.reason for entry in reading.skipped] == ["no frame folder cohn-kanade-images/S010/001"]
    with pytest.raises(DatasetError, match=r"no file Emotion/S005.*jeffcohn"):
        read_dataset("ck+", tmp_path / "FACS")


def test_mmi_reads_videos_and_metatags(tmp_path: Path) -> None:
    reading = read_dataset("MMI", trees.mmi(tmp_path))
    assert [(s.key, s.label) for s in reading.samples] == [("mmi/001/S001-101", 1), ("mmi/002/S002-101", 2)]
    sample = reading.samples[0]
    assert (sample.onset, sample.apex, sample.offset, sample.fps) == (0, None, 5, 25.0)
    values = [round(float(image.mean())) for image in sample.frames.read(range(2, 5))]
    np.testing.assert_allclose(values, [20, 30, 40], atol=3)
    reasons = " | ".join(entry.reason for entry in reading.skipped)
    assert "cannot be opened as a video" in reasons
    assert "metatag Emotion" in reasons
    with pytest.raises(FrameError, match="ends at frame 6"):
        list(VideoFile(sample.frames.path, range(9)).read(range(0, 9)))  # type: ignore[union-attr]
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DatasetError, match=r"no video .*mmifacedb"):
        read_dataset("mmi", tmp_path / "nothing")


def test_jaffe_is_still_faces(tmp_path: Path) -> None:
    reading = read_dataset("jaffe", trees.jaffe(tmp_path))
    assert [(s.subject, s.label) for s in reading.samples] == [
        ("jaffe/ka", 0),
        ("jaffe/ka", None),
        ("jaffe/km", 1),
        ("jaffe/km", 2),
    ]
    assert all(s.onset == s.apex == 0 and s.offset is None for s in reading.samples)
    assert [entry.name for entry in reading.skipped] == ["README.tiff"]


def test_posed_expressions_are_named_by_their_paths(tmp_path: Path) -> None:
    oulu = read_dataset("Oulu-CASIA", trees.oulu_casia(tmp_path / "oulu"))
    assert {s.key: (s.label, s.onset, s.apex, s.offset) for s in oulu.samples} == {
        "oulu-casia/p001/NI-Dark-Anger": (0, 0, 5, None),
        "oulu-casia/p001/VL-Strong-Anger": (0, 0, 5, None),
        "oulu-casia/p001/VL-Strong-Happiness": (1, 0, 5, None),
        "oulu-casia/p001/VL-Strong-Surprise": (2, 0, 5, None),
    }
    assert [entry.name for entry in oulu.skipped] == ["oulu-casia/p001/VL-Strong-Anger"], "a copy of a clip"
    part = read_dataset("oulu", tmp_path / "oulu" / "B_OriginalImg" / "VL" / "Strong")
    assert len(part.samples) == 3
    mug = read_dataset("MUG", trees.mug(tmp_path / "mug"))
    assert {s.key: (s.label, s.fps, s.apex, s.offset) for s in mug.samples} == {
        "mug/002/take000-fear": (0, 19.0, None, 8),
        "mug/002/take000-happiness": (1, 19.0, None, 8),
        "mug/002/take001-happiness": (1, 19.0, None, 8),
        "mug/002/take000-neutral": (None, 19.0, None, 8),
    }
    stills = read_dataset("BU-3DFE", trees.bu_3dfe(tmp_path / "bu"))
    assert {(s.subject, s.emotion, s.label) for s in stills.samples} == {
        ("bu-3dfe/f0001", "anger", 0),
        ("bu-3dfe/f0001", "surprise", 2),
        ("bu-3dfe/m0001", "happiness", 1),
        ("bu-3dfe/m0001", "neutral", None),
    }
    for name in ("oulu-casia", "mug", "bu-3dfe"):
        with pytest.raises(DatasetError, match=r"no picture such as .* is requested from"):
            read_dataset(name, tmp_path / "oulu" / "notes")


def test_generic_folders(tmp_path: Path) -> None:
    reading = read_dataset("My Set", trees.generic(tmp_path), fps=60.0)
    found = {s.key: (s.label, s.fps, s.onset, s.offset) for s in reading.samples}
    assert found == {
        "my-set/p1/anger/b": (0, 60.0, 0, 4),
        "my-set/p3/bored/d": (None, 60.0, 0, 4),
        "my-set/p1/positive/a": (1, 60.0, 10, 15),
        "my-set/p2/surprise/c": (2, 30.0, 0, 7),
    }
    assert "holds no images" in reading.skipped[0].reason
    without = read_dataset("mine", tmp_path)
    assert [s.key for s in without.samples] == ["mine/p2/surprise/c"]
    assert "the frame rate is unknown: give it as --fps 200, or in a column fps" in {
        entry.reason for entry in without.skipped
    }
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no clip CLASS/SUBJECT/CLIP"):
        read_dataset("mine", tmp_path / "empty")


def test_generic_csv(tmp_path: Path) -> None:
    trees.generic(tmp_path)
    listing = tmp_path / "list.csv"
    listing.write_text(
        "Path,Subject,Label,Clip,fps,onset,apex,offset\n"
        "positive/p1/a,p1,positive,a,100,11,12,14\n"
        "anger/p1/b,p1,0,,50,,,\n"
        "\n"
        "surprise/p2/c.avi,p2,surprise,c,,2,,\n"
        "nowhere,p2,surprise,n,25,,,\n"
        "anger/p1/b,p9,negative,z,fast,,,\n"
    )
    reading = read_dataset("mine", listing)
    assert [(s.key, s.label, s.fps, s.onset, s.apex, s.offset) for s in reading.samples] == [
        ("mine/p1/a", 1, 100.0, 11, 12, 14),
        ("mine/p1/b", 0, 50.0, 0, None, 4),
        ("mine/p2/c", 2, 30.0, 2, None, 7),
    ]
    assert [entry.name for entry in reading.skipped] == ["mine/p2/n", "mine/p9/z"]
    listing.write_text("path,label\na,1\n")
    with pytest.raises(DatasetError, match="has no column subject, only path, label"):
        read_dataset("mine", listing)
    listing.write_text("path,subject,label\na,1,1\n")
    with pytest.raises(DatasetError, match=r"none of 1 rows .* first: .*is no folder, video or image"):
        read_dataset("mine", listing)
    with pytest.raises(DatasetError, match="does not exist"):
        read_dataset("mine", tmp_path / "none.csv")


def test_megc_list_selects_and_labels(tmp_path: Path) -> None:
    readings = [
        read_dataset("smic", trees.smic(tmp_path / "smic")),
        read_dataset("casme2", trees.casme2(tmp_path / "casme2")),
        read_dataset("samm", trees.samm(tmp_path / "samm")),
    ]
    listing = tmp_path / "combined_3class_gt.csv"
    listing.write_text(
        "casme2,sub01,EP02_01f,1\nsmic,s3,s3_ne_03,0\n,,,\n\nsmic,s20,s20_sur_02,2\n"
        "samm,6,006_1_2,0\nsamm,35,035_1_1,0\nsamm,6,006_9_9,0\nsamm,33,033_1_1,0\n"
    )
    entries = read_list(listing)
    assert len(entries) == 7
    reading = apply_list(merge(readings), entries)
    assert [(s.key, s.label) for s in reading.samples] == [
        ("casme2/001/EP02_01f", 1),
        ("smic-hs/003/s03_ne_03", 0),
        ("smic-hs/020/s20_sur_02", 2),
        ("samm/006/006_1_2", 0),
        ("samm/033/033_1_1", 0),
    ]
    assert [(entry.name, entry.reason) for entry in reading.skipped] == [
        ("samm/035/035_1_1", "no frame folder 035/035_1_1"),
        ("samm/006/006_9_9", "listed, and not among the clips that were read"),
    ]
    assert "the list has 7 clips, the composite of MEGC 2019 has 442" in reading.notes
    assert "samm/033/033_1_1: label 0 of the list, not 2" in reading.notes
    listing.write_text("casme2,sub01,EP02_01f\n")
    with pytest.raises(DatasetError, match="line 1 is not dataset, subject, clip, label"):
        read_list(listing)
    with pytest.raises(DatasetError, match="no file"):
        read_list(tmp_path / "none.csv")

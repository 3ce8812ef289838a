from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support import trees

from mer_live.benchmarks.published import layouts
from mer_live.training.datasets import read_dataset
from mer_live.training.datasets.sample import DatasetError, Sample


def by_key(samples: tuple[Sample, ...]) -> dict[str, Sample]:
    return {sample.key: sample for sample in samples}


def test_casme2_quirks(tmp_path: Path) -> None:
    reading = read_dataset("CASME II", trees.casme2(tmp_path))
    samples = by_key(reading.samples)
    first = samples["casme2/001/EP02_01f"]
    assert (first.onset, first.apex, first.offset, first.label, first.fps) == (46, 59, 86, 1, 200.0)
    assert first.subject == "casme2/001"
    assert first.action_units == "4+L10"
    assert first.frames.numbers[0] == 46
    assert first.frames.numbers[-1] == 86
    assert samples["casme2/001/EP03_02"].label is None
    assert samples["casme2/001/EP03_02"].action_units == "4"
    slash = samples["casme2/004/EP12_01f"]
    assert slash.apex is None
    assert slash.action_units == "?"
    # The composite leaves these two out although disgust is negative.
    assert slash.label is None
    assert samples["casme2/005/EP09_05f"].label is None
    assert [samples[f"casme2/005/{clip}"].label for clip in ("EP03_01", "EP03_06")] == [0, 2]
    assert samples["casme2/009/EP05_03"].label is None
    skipped = {entry.name: entry.reason for entry in reading.skipped}
    assert skipped == {
        "casme2/009/EP99_99": "no frame folder sub09/EP99_99",
        "casme2/009/EP05_05": "onset None or offset 9 is not a number",
    }
    assert any("EP12_01f: the apex is '/'" in note for note in reading.notes)


def test_casme2_under_cdmer_and_the_2019_sheet(tmp_path: Path) -> None:
    samples = by_key(
        read_dataset("casme2", trees.casme2(tmp_path, "20190701"), scheme="cdmer", revision="2019").samples
    )
    assert samples["casme2/005/EP03_01"].label is None
    assert samples["casme2/009/EP05_03"].label == 0
    assert samples["casme2/004/EP12_01f"].label == 0
    with pytest.raises(DatasetError, match=r"no file .*-20140508.xlsx \(looked in .*\); CASME II is"):
        read_dataset("casme2", tmp_path)


def test_casme2_raw_before_cropped(tmp_path: Path) -> None:
    trees.casme2(tmp_path)
    only = read_dataset("casme2", tmp_path, frames="cropped").samples
    assert "Cropped" in str(only[0].frames.folder)  # type: ignore[union-attr]
    with pytest.raises(DatasetError, match="no frames for any of 9 rows"):
        read_dataset("casme2", tmp_path, frames="raw")
    trees.casme2(tmp_path, cropped=False)
    both = read_dataset("casme2", tmp_path).samples
    assert "CASME2-RAW" in str(both[0].frames.folder)  # type: ignore[union-attr]


def test_missing_column_is_named(tmp_path: Path) -> None:
    rows = [["Subject", "Filename", "OnsetFrame", "OffsetFrame", "Estimated Emotion"], ["01", "a", 1, 2, "x"]]
    layouts.write_sheet(tmp_path / "CASME2-coding-20140508.xlsx", {"Sheet1": rows})
    with pytest.raises(DatasetError, match=r"no column ApexFrame \(row 1 has Subject, Filename.*requested"):
        read_dataset("casme2", tmp_path)
    (tmp_path / "CASME2-coding-20140508.xlsx").write_bytes(b"not a workbook")
    with pytest.raises(DatasetError, match=r"not a readable \.xlsx"):
        read_dataset("casme2", tmp_path)
    with pytest.raises(DatasetError, match="does not exist"):
        read_dataset("samm", tmp_path / "nowhere")


def test_samm_header_below_text_wrong_apexes_and_formulas(tmp_path: Path) -> None:
    reading = read_dataset("samm", trees.samm(tmp_path))
    samples = by_key(reading.samples)
    first = samples["samm/006/006_1_2"]
    assert (first.onset, first.apex, first.offset, first.label) == (5562, 5588, 5632, 0)
    assert first.action_units == "(R6 or R12)+R15"
    assert first.frames.numbers[0] == 5562
    assert samples["samm/028/028_4_1"].apex == 1103
    assert samples["samm/032/032_3_1"].apex == 4930
    assert samples["samm/032/032_3_1"].label == 1
    assert samples["samm/006/006_1_3"].label is None
    assert [entry.name for entry in reading.skipped] == ["samm/035/035_1_1"]
    assert sum("was corrected to" in note for note in reading.notes) == 2


def test_samm_sheet_must_be_there(tmp_path: Path) -> None:
    layouts.write_sheet(tmp_path / "SAMM_Micro_FACS_Codes_v2.xlsx", {"Other": [layouts.SAMM.header]})
    with pytest.raises(DatasetError, match="has no sheet 'MICRO_ONLY', only Other; SAMM is requested"):
        read_dataset("samm", tmp_path)


@pytest.mark.parametrize(
    ("name", "folder", "fps"),
    [("SMIC", "SMIC_HS_E", 100.0), ("smic-vis", "SMIC_VIS_E", 25.0), ("SMIC NIR", "SMIC_NIR_E", 25.0)],
)
def test_smic_three_cameras(tmp_path: Path, name: str, folder: str, fps: float) -> None:
    trees.smic(tmp_path / "SMIC_all_cropped", folder)
    reading = read_dataset(name, tmp_path)
    labels = {sample.key.split("/", 1)[1]: sample.label for sample in reading.samples}
    # Both spellings of a clip's id come out as one.
    assert labels == {"003/s03_ne_03": 0, "003/s03_po_01": 1, "020/s20_ne_01": 0, "020/s20_sur_02": 2}
    assert {sample.subject for sample in reading.samples} == {"smic/003", "smic/020"}
    first = reading.samples[0]
    assert (first.fps, first.apex, first.onset, first.offset) == (fps, None, 17581039, 17590002)
    assert [entry.reason for entry in reading.skipped] == ["the name is not like s03_ne_03"]
    assert read_dataset(name, tmp_path / "SMIC_all_cropped" / folder).samples == reading.samples


def test_smic_missing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no folder SMIC_HS_E .*University of Oulu"):
        read_dataset("smic", tmp_path)
    (tmp_path / "SMIC_HS_E").mkdir()
    with pytest.raises(DatasetError, match="holds no clip folder"):
        read_dataset("smic", tmp_path)


def test_casme_sq_maps_through_the_naming_rules(tmp_path: Path) -> None:
    reading = read_dataset("CAS(ME)^2", trees.casme_sq(tmp_path))
    videos = {video.key: video for video in reading.videos}
    assert set(videos) == {"casme-sq/015/15_0402", "casme-sq/015/15_0101"}
    anger = videos["casme-sq/015/15_0402"].intervals
    assert [(i.kind, i.onset, i.apex, i.offset) for i in anger] == [
        ("macro", 557, 572, 608),
        ("macro", 2854, 2862, None),
    ]
    teeth = videos["casme-sq/015/15_0101"]
    assert [(i.onset, i.apex, i.offset, i.label, i.action_units) for i in teeth.intervals] == [
        (16, None, 26, None, "14"),
        (30, 34, 40, 0, "14"),
    ]
    # The raw frames are the long video; the owner's crop lies beside them.
    assert len(teeth.frames.numbers) == 60
    assert teeth.fps == 30.0
    samples = by_key(reading.samples)
    assert samples["casme-sq/015/disgust2_2-30"].label == 0
    assert samples["casme-sq/015/disgust2_1-16"].apex is None
    reasons = [entry.reason for entry in reading.skipped]
    assert "the naming rules have no subject '9'" in reasons
    assert "onset '16' and offset '10' give no interval" in reasons
    assert "no frame folder s16/16_0503..." in reasons


def test_samm_lv_fractions_and_missing_apexes(tmp_path: Path) -> None:
    reading = read_dataset("SAMM Long Videos", trees.samm_lv(tmp_path))
    (video,) = reading.videos
    assert video.subject == "samm/006"
    assert [(i.kind, i.onset, i.apex, i.offset) for i in video.intervals] == [
        ("micro", 20, 25, 31),
        ("macro", 40, None, 55),
        ("micro", 56, 58, 59),
    ]
    assert [sample.key for sample in reading.samples] == ["samm-lv/006/006_1_2", "samm-lv/006/006_1_4"]
    reasons = " | ".join(entry.reason for entry in reading.skipped)
    assert "no frame folder 007_3" in reasons
    assert "'Neither' is neither macro nor micro" in reasons
    assert "onset -1" in reasons
    rows = [["Filename", "Apex Frame", "Offset Frame", "Type"]]
    layouts.write_sheet(tmp_path / "b" / "SAMM_LongVideos_V2_Release.xlsx", {"FACS_Movement_Only": rows})
    with pytest.raises(DatasetError, match="no column Onset Frame"):
        read_dataset("samm-lv", tmp_path / "b")


def test_frames_that_the_sheet_does_not_fit(tmp_path: Path) -> None:
    trees.samm(tmp_path)
    folder = tmp_path / "033" / "033_1_1"
    for number in (20, 21, 40):
        (folder / f"033_{number:05d}.jpg").unlink()
    other = tmp_path / "006" / "006_1_3"
    for file in other.iterdir():
        file.rename(other / file.name.replace("006_00", "006_90"))
    reading = read_dataset("samm", tmp_path)
    sample = by_key(reading.samples)["samm/033/033_1_1"]
    assert (sample.onset, sample.offset) == (22, 39)
    assert "samm/033/033_1_1: frames 20..40 wanted, 22..39 used" in reading.notes
    reasons = {entry.name: entry.reason for entry in reading.skipped}
    assert reasons["samm/006/006_1_3"] == "no frame between 100 and 140; the files are 90100..90140"


def test_frames_are_read_by_position(tmp_path: Path) -> None:
    (sample,) = [s for s in read_dataset("smic", trees.smic(tmp_path)).samples if s.key.endswith("s20_ne_01")]
    values = [round(float(image.mean())) for image in sample.frames.read(range(4, 7))]
    np.testing.assert_allclose(values, [4, 5, 6], atol=1)
    assert cv2.imread(str(sample.frames.folder / sample.frames.names[0])) is not None  # type: ignore[union-attr]

"""Small databases in exactly the owners' layouts, quirks included, with one-pixel-high frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from mer_live.benchmarks.published import layouts
from mer_live.benchmarks.published.layouts import (
    write_ck_emotion,
    write_mmi_session,
    write_video,
)

Paint = Callable[[int, int], np.ndarray]
"""(position, count) -> (H, W, 3) BGR frame."""


def blank(position: int, count: int) -> np.ndarray:
    return np.full((4, 4, 3), position % 256, np.uint8)


def write_frames(
    folder: Path, numbers: Iterable[int], pattern: str = "img{}.jpg", paint: Paint = blank
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    listed = list(numbers)
    for position, number in enumerate(listed):
        assert cv2.imwrite(str(folder / pattern.format(number)), paint(position, len(listed)))
    return folder


CASME2_ROWS: list[list[object]] = [
    # Subject is text, the apex may be '/', action units mix int, text and '?'.
    ["01", "EP02_01f", None, 46, 59, 86, None, "4+L10", "happiness", 3],
    ["01", "EP03_02", None, 131, 161, 181, None, 4, "others", 4],
    ["04", "EP12_01f", None, 61, "/", 91, None, "?", "disgust", 1],
    ["05", "EP09_05f", None, 5, 9, 15, None, "9", "disgust", 1],
    ["05", "EP03_01", None, 1, 6, 12, None, "4+7", "repression", 1],
    ["05", "EP03_06", None, 1, 6, 12, None, "1+2", "surprise", 2],
    ["09", "EP05_03", None, 1, 4, 9, None, "15", "sadness", 2],
    ["09", "EP99_99", None, 1, 4, 9, None, "15", "disgust", 2],
    ["09", "EP05_05", None, None, 4, 9, None, "15", "disgust", 2],
]


def casme2(
    root: Path, revision: str = "20140508", cropped: bool = True, paint: Paint = blank, only: str = ""
) -> Path:
    sheet = replace(layouts.CASME2, file=f"CASME2-coding-{revision}.xlsx")
    sheet.write(root, CASME2_ROWS)
    for row in CASME2_ROWS:
        if row[1] == "EP99_99" or row[3] is None or only not in str(row[1]):
            continue
        numbers = range(int(str(row[3])), int(str(row[5])) + 1)
        home = root / ("Cropped" if cropped else "CASME2-RAW") / f"sub{row[0]}" / str(row[1])
        write_frames(home, numbers, "reg_img{}.jpg" if cropped else "img{}.jpg", paint)
    return root


def _samm(clip: str, onset: int, apex: int, offset: int, units: str, emotion: str) -> list[object]:
    # openpyxl writes the formula without a stored value, as a sheet that was never opened has it.
    return [clip[:3], clip, 1, onset, apex, offset, "=F15-D15+1", "Micro - 1/2", units, emotion, "I", None]


SAMM_ROWS = [
    _samm("006_1_2", 5562, 5588, 5632, "(R6 or R12)+R15", "Anger"),
    _samm("006_1_3", 100, 120, 140, "4", "Other"),
    _samm("028_4_1", 1071, 1143, 1134, "4", "Anger"),
    _samm("032_3_1", 4896, 1930, 4985, "12", "Happiness"),
    _samm("033_1_1", 20, 30, 40, "1+2", "Surprise"),
    _samm("035_1_1", 20, 30, 40, "1+2", "Contempt"),
]


def samm(root: Path, paint: Paint = blank) -> Path:
    layouts.SAMM.write(root, SAMM_ROWS, {"Notes": [["nothing"]]})
    for row in SAMM_ROWS:
        clip = str(row[1])
        if clip != "035_1_1":
            home = root / clip[:3] / clip
            write_frames(home, range(int(str(row[3])), int(str(row[5])) + 1), clip[:3] + "_{:05d}.jpg", paint)
    return root


SMIC_CLIPS = ["s3_ne_03", "s03_po_01", "s20_ne_01", "s20_sur_02"]


def smic(root: Path, folder: str = "SMIC_HS_E", paint: Paint = blank, only: str = "") -> Path:
    for clip in (clip for clip in SMIC_CLIPS if only in clip):
        subject = clip.split("_")[0]
        # The numbers are a clock, hh mm ss and hundredths, so they jump at a full minute.
        numbers = [17581039, 17581040, 17585998, 17585999, 17590000, 17590001, 17590002]
        write_frames(root / folder / subject / clip, numbers, "image{}.jpg", paint)
    write_frames(root / folder / "s3" / "s3_non_micro_1", [1, 2], "image{}.jpg")
    return root


def casme_sq(root: Path, paint: Paint = blank) -> Path:
    rows: list[list[object]] = [
        [1, "anger1_1", 557, 572, 608, "4+10+14+15", "negative", "macro-expression", "anger"],
        [1, "anger1_2", 2854, 2862, 0, "12", "positive", "macro-expression", "anger"],
        [1, "disgust2_1", 16, 0, 26, 14, "others", "micro-expression", "disgust"],
        [1, "disgust2_2", 30, 34, 40, "14", "negative", "micro-expression", "disgust"],
        [9, "disgust2_1", 16, 20, 26, "14", "others", "micro-expression", "disgust"],
        [2, "happy1_1", 16, 20, 26, "14", "others", "micro-expression", "happy"],
        [2, "anger1_1", 16, 20, 10, "14", "others", "micro-expression", "happy"],
    ]
    rules: dict[str, list[list[object]]] = {
        "naming rule1": [["s15", "s15", 1], ["s16", "s16", 2]],
        "naming rule2": [[101, "disgust2"], ["0402", "anger1"], ["0503", "happy1"]],
    }
    layouts.CASME_SQ.write(root, rows, rules)
    write_frames(
        root / "rawpic" / "s15" / "15_0402beatingpregnantwoman", range(1, 30), "img{:04d}.jpg", paint
    )
    write_frames(root / "rawpic" / "s15" / "15_0101disgustingteeth", range(1, 61), "img{:03d}.jpg", paint)
    write_frames(root / "cropped" / "s15" / "15_0101disgustingteeth", range(1, 20), "img_{:05d}.jpg")
    return root


def samm_lv(root: Path) -> Path:
    rows: list[list[object]] = [
        ["006", "006_1_2", 1, 20, 25, 31, "=F11-D11", "Micro - 1/2", "12", None],
        ["006", "006_1_3", 1, 40, -1, 55, "=F12-D12", "Macro", "4", None],
        ["006", "006_1_4", 1, 56, 57.5, 59.4, 3.4, "Micro", "4", None],
        ["007", "007_3_1", 1, 1, 566.4, 700, 700, "Macro", "4", None],
        ["007", "007_3_2", 1, -1, -1, 700, 700, "Macro", "4", None],
        ["007", "007_3_3", 1, 5, 6, 9, 4, "Neither", "4", None],
    ]
    layouts.SAMM_LV.write(root, rows)
    write_frames(root / "SAMM_longvideos" / "006_1", range(1, 61), "006_1_{:04d}.jpg")
    return root


def ckplus(root: Path) -> Path:
    for sequence, emotion in (("001", 3), ("002", 7), ("003", None)):
        write_frames(
            root / "cohn-kanade-images" / "S005" / sequence, range(1, 12), f"S005_{sequence}_{{:08d}}.png"
        )
        write_ck_emotion(root, f"S005/{sequence}", 11, emotion)
    codes = root / "FACS" / "S005" / "001"
    codes.mkdir(parents=True)
    (codes / "S005_001_00000011_facs.txt").write_text("   9.0000000e+00   4.0\n   1.7000000e+01   0.0\n")
    write_ck_emotion(root, "S010/001", 14, 1)
    return root


def _gray(position: int, count: int) -> np.ndarray:
    return np.full((48, 64, 3), 10 * position % 256, np.uint8)


def mmi(root: Path) -> Path:
    for session, person, value in (
        (1767, "S001-101", 4),
        (1768, "S002-101", 6),
        (1769, "S002-102", None),
    ):
        home = root / "Sessions" / str(session)
        write_video(home / f"{person}.avi", [_gray(k, 6) for k in range(6)], 25.0)
        write_mmi_session(home, value)
    (root / "Sessions" / "1768" / "broken.xml").write_text("<session")
    (root / "Sessions" / "1767" / "S003-001.avi").write_bytes(b"no video")
    return root


def jaffe(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name in ("KA.AN1.39.tiff", "KA.NE2.27.tiff", "KM.HA1.4.tiff", "KM.SU3.14.tiff", "README.tiff"):
        assert cv2.imwrite(str(root / name), blank(0, 1))
    return root


def casme3(root: Path, paint: Paint = blank) -> Path:
    """Two expressions in one recording, a depth camera beside, a capital letter, and a recording that is not there."""
    rows: list[list[object]] = [
        ["spNO.1", "a", 2, 4, 8, "4+7", "II", "disgust"],
        ["spNO.1", "a", 9, 9, 12, "12", "I", "happy"],
        ["spNO.2", "J", 1, 3, 5, "R4", "VII", "Others"],
        ["spNO.2", "k", 1, 3, 5, "1+2", "III", "surprise"],
    ]
    layouts.CASME3.write(root / "annotation", rows, {"other": [[1]]})
    write_frames(root / "spNO.1" / "a" / "color", range(1, 13), "{}.jpg", paint)
    write_frames(root / "spNO.1" / "a" / "depth", range(1, 13), "{}.png")
    write_frames(root / "spNO.2" / "j" / "color", range(1, 13), "{:04}.jpg", paint)
    return root


def dfme(root: Path, paint: Paint = blank) -> Path:
    """Two sheets, a rate for each clip and one that is none."""
    training: list[list[object]] = [
        ["sub0003", "sub0003_01", 109, 112, 115, "Happiness", 0, 500, "L12"],
        ["sub0003", "sub0003_02", 1, 3, 5, "Contempt", 1, "fast", "14"],
    ]
    layouts.DFME[0].write(root, training)
    layouts.DFME[1].write(root, [["sub0004", "sub0004_01", 1, 3, 5, "Surprise", 6, 200, "1+2"]])
    write_frames(root / "frames" / "sub0003_01", range(109, 116), "{}.png", paint)
    write_frames(root / "frames" / "sub0004_01", range(1, 6), "{}.png", paint)
    return root


def oulu_casia(root: Path, paint: Paint = blank) -> Path:
    """Two lights, one copy of a clip in a second folder, and a film that is no clip."""
    for part, emotions in (("VL/Strong", ("Anger", "Happiness", "Surprise")), ("NI/Dark", ("Anger",))):
        for emotion in emotions:
            write_frames(root / "B_OriginalImg" / part / "P001" / emotion, range(6), "{:03d}.jpeg", paint)
    write_frames(root / "C_PreProcess" / "VL" / "Strong" / "P001" / "Anger", range(6), "{:03d}.jpeg", paint)
    write_frames(root / "notes", range(2), "{}.png", paint)
    return root


def mug(root: Path, paint: Paint = blank) -> Path:
    for emotion, take in (
        ("happiness", "take000"),
        ("happiness", "take001"),
        ("fear", "take000"),
        ("neutral", "take000"),
    ):
        write_frames(root / "subjects3" / "002" / emotion / take, range(9), "img_{:04d}.jpg", paint)
    return root


def bu_3dfe(root: Path, paint: Paint = blank) -> Path:
    for name in ("F0001_AN01WH", "F0001_SU04WH", "M0001_HA02AE", "M0001_NE00AE"):
        write_frames(root / name[:5], (name,), "{}_F2D.bmp", paint)
        write_frames(root / name[:5], (name,), "{}_F3D_depth.png", paint)
    return root


def generic(root: Path, paint: Paint = blank) -> Path:
    write_frames(root / "positive" / "p1" / "a" / "frames", range(10, 16), "f{}.png", paint)
    write_frames(root / "anger" / "p1" / "b", range(5), "{:03d}.png", paint)
    write_video(root / "surprise" / "p2" / "c.avi", [_gray(k, 8) for k in range(8)], 30.0)
    write_frames(root / "bored" / "p3" / "d", range(5), "{:03d}.png", paint)
    (root / "positive" / "p3" / "empty").mkdir(parents=True)
    return root


def casme(root: Path, paint: Paint = blank) -> Path:
    """CASME: unnamed columns, two columns of the apex, subjects as numbers."""
    rows: list[list[object]] = [
        ["disgust", 1, None, "EP01_5", 57, 66, 0, None, 75, "4"],
        ["tense", 2, None, "EP01_8", 10, 14, 0, None, 20, "15"],
        ["happiness", 2, None, "EP01_5", 1, 4, 0, None, 9, "12"],
    ]
    layouts.CASME.write(root, rows)
    write_frames(root / "Cropped" / "sub01" / "EP01_5", range(57, 76), "EP01_5-{:05d}.jpg", paint)
    write_frames(root / "Cropped" / "sub02" / "EP01_8", range(10, 21), "EP01_8-{:05d}.jpg", paint)
    write_frames(root / "Cropped" / "sub02" / "EP01_5", range(1, 10), "EP01_5-{:05d}.jpg", paint)
    return root


def mmew(root: Path, paint: Paint = blank) -> Path:
    """MMEW: frames below the emotion, subjects in the names alone; a row whose offset lies behind the last frame."""
    rows: list[list[object]] = [
        [1, "S01-01-001", 1, 9, 20, "6+12", "happiness", None],
        [2, "S02-03-002", 1, 12, 40, "4", "anger", None],
        [3, "S03-01-001", 1, 5, 12, "1+2", "surprise", "?"],
        [3, "S03-01-009", 1, 5, 12, "1+2", "surprise", None],
        [4, "S04-02-001", 1, 6, 12, "24", "others", None],
    ]
    layouts.MMEW.write(root, rows)
    folders = {
        "happiness/S01-01-001": 20,
        "anger/S02-03-002": 30,
        "surprise/S03-01-001": 12,
        "others/S04-02-001": 12,
    }
    for name, count in folders.items():
        write_frames(root / "Micro_Expression" / name, range(1, count + 1), "{}.jpg", paint)
    return root


def fourd(root: Path, paint: Paint = blank) -> Path:
    """4DME: columns of its own, the class beside the units."""
    rows: list[list[object]] = [
        [1, "01_01", 1, 6, 12, "AU4+AU7(k)", "Negative"],
        [1, "01_02", 1, 6, 12, "AU12", "Positive"],
        [2, "02_01", 1, 6, 12, "AU17", "Repression"],
    ]
    layouts.FOURD.write(root, rows)
    for subject, clip in ((1, "01_01"), (1, "01_02"), (2, "02_01")):
        write_frames(root / "gray_micro" / f"sub{subject:02d}" / clip, range(1, 13), "{:03d}.png", paint)
    return root

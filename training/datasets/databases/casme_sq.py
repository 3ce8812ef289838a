"""CAS(ME)^2 (Qu et al., 2017): macro- and micro-expressions in 30 fps recordings, for spotting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mer_live.training.datasets.cells import frame_number, text
from mer_live.training.datasets.databases.samm_lv import add_video, interval_kind
from mer_live.training.datasets.frames import FrameFiles, image_folders, numbered
from mer_live.training.datasets.labels import class_of, emotion_name
from mer_live.training.datasets.sample import REQUESTED_FROM, Collector, DatasetError, Interval, Reading, stop
from mer_live.training.datasets.sheets import find_file, read_cells

SHEET = "CAS(ME)^2code_final.xlsx"
FPS = 30.0
_COLUMNS = 8
"""subject, video, onset, apex, offset, action units, emotion, type, and where present the self-report."""
_FOLDER = re.compile(r"s?0*(\d+)_(\d{4})", re.IGNORECASE)


def read_casme_sq(root: Path) -> Reading:
    """Read sheet ``CASFEcode_final`` (no header) through its two naming-rule sheets.

    The first rule gives the number in the folder names for subject n, the second the four-digit code
    of a video: subject 1, ``disgust1_2`` lies in ``s15/15_0101...``. Offset 0 means that the expression
    did not return before the video ended; apex 0 counts as not annotated.

    Args:
        root: Folder with the sheet and the frames (``rawpic`` or ``cropped``), at any depth.

    Raises:
        DatasetError: The sheet, a naming rule, or every frame folder is missing.
    """
    sheet = find_file(root, [SHEET, "CAS*code_final*.xlsx"], "casme-sq")
    rows = [
        row for row in read_cells(sheet, "CASFEcode_final", "casme-sq") if any(c is not None for c in row)
    ]
    if not rows or len(rows[0]) < _COLUMNS:
        width = len(rows[0]) if rows else 0
        raise DatasetError(
            f"{sheet}, sheet CASFEcode_final has {width} columns, not {_COLUMNS} (subject, video, onset, "
            f"apex, offset, action units, emotion, type); {REQUESTED_FROM['casme-sq']}"
        )
    people = _people(read_cells(sheet, "naming rule1", "casme-sq"), sheet)
    codes = _codes(read_cells(sheet, "naming rule2", "casme-sq"), sheet)
    folders = _folders(root)
    collector = Collector("casme-sq")
    intervals: dict[tuple[int, str], list[Interval]] = {}
    for number, row in enumerate(rows, 1):
        video = text(row[1])
        name = f"{sheet.name} row {number} ({video})"
        subject = frame_number(row[0])
        person = people.get(subject) if subject is not None else None
        code = codes.get(video.rsplit("_", 1)[0])
        if person is None or code is None:
            rule = f"subject {text(row[0])!r}" if person is None else f"video {video!r}"
            collector.skip(name, f"the naming rules have no {rule}")
            continue
        kind = interval_kind(row[7])
        if kind is None:
            collector.skip(name, f"the type {text(row[7])!r} is neither macro nor micro")
            continue
        onset, apex, offset = (frame_number(cell) or None for cell in row[2:5])
        if onset is None or (offset is not None and offset < onset):
            collector.skip(name, f"onset {text(row[2])!r} and offset {text(row[4])!r} give no interval")
            continue
        if apex is not None and (apex < onset or (offset is not None and apex > offset)):
            collector.note(name, f"apex {apex} lies outside {onset}..{offset}, not annotated")
            apex = None
        emotion = emotion_name(text(row[6]))
        found = intervals.setdefault((person, code), [])
        key = collector.key(person, f"{video}-{onset}")
        label = class_of("casme-sq", emotion, "cde")
        found.append(Interval(key, kind, onset, apex, offset, label, text(row[5]), emotion))
    for (person, code), found in intervals.items():
        frames = folders.get((person, code))
        if frames is None:
            for interval in found:
                collector.skip(interval.key, f"no frame folder s{person}/{person}_{code}...")
            continue
        add_video(collector, f"{person}_{code}", str(person), FPS, frames, found)
    if not collector.videos:
        raise stop(
            "casme-sq", f"no frames for any of {len(intervals)} videos, such as rawpic/s15/15_0101...", root
        )
    return collector.reading()


def _people(rows: list[list[Any]], sheet: Path) -> dict[int, int]:
    """Subject n (last column) -> the number in the folder names (the column before it)."""
    result: dict[int, int] = {}
    for row in rows:
        cells = [cell for cell in row if cell is not None]
        digits = re.search(r"\d+", text(cells[-2])) if len(cells) >= 2 else None
        number = frame_number(cells[-1]) if cells else None
        if digits and number is not None:
            result[number] = int(digits.group())
    if not result:
        raise DatasetError(f"{sheet}, sheet naming rule1 maps no subject; {REQUESTED_FROM['casme-sq']}")
    return result


def _codes(rows: list[list[Any]], sheet: Path) -> dict[str, str]:
    """Video name (second column) -> four-digit code (first column); Excel may have eaten its zeros."""
    result = {
        text(row[1]): text(row[0]).zfill(4)
        for row in rows
        if len(row) >= 2 and row[1] is not None and text(row[0]).isdigit()
    }
    if not result:
        raise DatasetError(f"{sheet}, sheet naming rule2 maps no video; {REQUESTED_FROM['casme-sq']}")
    return result


def _folders(root: Path) -> dict[tuple[int, str], FrameFiles]:
    """(number, code) -> frames; raw ones before the owner's crop, long videos before selected pieces."""
    result: dict[tuple[int, str], FrameFiles] = {}
    for folder, names in image_folders(root):
        match = _FOLDER.match(folder.name)
        if not match:
            continue
        key = (int(match.group(1)), match.group(2))
        place = str(folder.relative_to(root)).lower()
        if key not in result or ("crop" not in place and "selected" not in place):
            result[key] = numbered(folder, names)
    return result

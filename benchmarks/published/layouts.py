"""How the owners lay out their databases: sheets, folders, names of pictures. Tests and benchmarks write by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from openpyxl import Workbook

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class OwnersSheet:
    """A table as its owners hand it out."""

    file: str
    table: str
    header: Row = ()
    """Empty: the rows stand without one."""
    above: Sequence[Row] = ()
    """What stands above the header."""

    def write(self, root: Path, rows: Iterable[Row], more: Mapping[str, Sequence[Row]] | None = None) -> Path:
        """Write the file, with the tables ``more`` beside this one."""
        headed = [self.header] if self.header else []
        return write_sheet(root / self.file, {self.table: [*self.above, *headed, *rows], **(more or {})})


CASME2 = OwnersSheet(
    "CASME2-coding-20140508.xlsx",
    "Sheet1",
    (
        *("Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units"),
        *("Estimated Emotion", "Objective Classes"),
    ),
)
SAMM = OwnersSheet(
    "SAMM_Micro_FACS_Codes_v2.xlsx",
    "MICRO_ONLY",
    (
        *("Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration"),
        *("Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes"),
    ),
    (["SAMM: Micro FACS Codes"], [None], ["Onset", "and apex in frames"], *[[None]] * 10),
)
SAMM_LV = OwnersSheet(
    "SAMM_LongVideos_V2_Release.xlsx",
    "FACS_Movement_Only",
    (*SAMM.header[:7], "Type", "Action Units", "Notes"),
    [["SAMM"]] * 9,
)
CASME = OwnersSheet(
    "CASME-coding.xlsx",
    "all",
    ("Emotion", "Subject", None, "Filename", "OnsetF", "ApexF1", "ApexF2", None, "OffsetF", "AU"),
)
CASME3 = OwnersSheet(
    "casme3_table.xlsx",
    "label",
    ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"),
)
CASME_SQ = OwnersSheet("CAS(ME)^2code_final.xlsx", "CASFEcode_final")
_DFME = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "EmotionId", "Fps", "AU")
DFME = tuple(
    OwnersSheet(f"{part}_with_AU.xlsx", "Sheet1", _DFME) for part in ("training_full", "testA", "testB")
)
MMEW = OwnersSheet(
    "MMEW_Final.xlsx",
    "Sheet1",
    (
        *("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units"),
        *("Estimated Emotion", "remarks"),
    ),
)
FOURD = OwnersSheet(
    "4DME_annotation.xlsx", "all", ("sub_ID", "fold_name", "Onset", "Apex", "Offset", "AUs", "Emotion")
)


def write_sheet(path: Path, tables: Mapping[str, Sequence[Row]]) -> Path:
    """Write an .xlsx file of these tables."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = Workbook()
    book.remove(book.active)
    for name, rows in tables.items():
        table = book.create_sheet(name)
        for row in rows:
            table.append(list(row))
    book.save(path)
    return path


def write_video(path: Path, frames: Sequence[NDArray[np.uint8]], fps: float) -> Path:
    """Write (H, W, 3) BGR frames as Motion JPEG; an .avi is what MMI hands out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
    if not writer.isOpened():
        raise OSError(f"{path} cannot be written as a video: this OpenCV has no Motion JPEG")
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def write_mmi_session(folder: Path, emotion: int | None) -> Path:
    """Write the XML file beside a video of MMI; None: without the metatag."""
    folder.mkdir(parents=True, exist_ok=True)
    tag = "" if emotion is None else f'<Metatag Name="Emotion" Value="{emotion}"/>'
    file = folder / "session.xml"
    file.write_text(f'<session xmlns="http://mmi"><annotation/>{tag}</session>', encoding="utf-8")
    return file


def write_ck_emotion(root: Path, sequence: str, last: int, emotion: int | None) -> Path:
    """Write CK+'s file of ``S005/001``: its number as a real one; None: the folder alone."""
    home = root / "Emotion" / sequence
    home.mkdir(parents=True, exist_ok=True)
    file = home / f"{sequence.replace('/', '_')}_{last:08d}_emotion.txt"
    if emotion is not None:
        file.write_text(f"   {emotion:.7e}\n", encoding="utf-8")
    return file

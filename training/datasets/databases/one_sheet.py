"""CASME, MMEW and 4DME: one sheet, and a folder of frames for each clip.

What is from where: columns and folders are those that one public loader of these databases reads. The rates, CASME
60 fps (Yan, Wu, Liu, Wang, Fu; FG 2013), MMEW 90 (Ben et al.; PAMI 2021), 4DME 60 (Li et al.; TAC 2022), and 4DME's
file name and classes are from memory of the papers, not looked up. Nobody has run this on the owners' files here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mer_live.training.datasets.cells import text
from mer_live.training.datasets.frames import FrameFiles, image_folders, numbered
from mer_live.training.datasets.identity import canonical_subject
from mer_live.training.datasets.labels import class_of, emotion_name
from mer_live.training.datasets.sample import Collector, Reading, Sample, stop
from mer_live.training.datasets.sheets import find_file, read_table


@dataclass(frozen=True, slots=True)
class Layout:
    """How one database names its sheet and columns."""

    sheets: tuple[str, ...]
    """Patterns of the file, the owners' name first."""
    fps: float
    columns: Mapping[str, Sequence[str]]
    """Ours -> spellings."""
    example: str
    """Of a clip's folder."""


_USUAL: Mapping[str, Sequence[str]] = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("OnsetFrame", "OnsetF", "Onset"),
    "apex": ("ApexFrame", "ApexF1", "ApexF", "Apex"),
    "offset": ("OffsetFrame", "OffsetF", "Offset"),
    "emotion": ("Estimated Emotion", "Emotion"),
}
LAYOUTS: Mapping[str, Layout] = {
    "casme": Layout(("CASME.xls*", "CASME[-_ ]*.xls*"), 60.0, _USUAL, "sub01/EP01_5"),
    "mmew": Layout(("MMEW_Final.xlsx", "*MMEW*.xls*"), 90.0, _USUAL, "happiness/S01-01-001"),
    "4dme": Layout(
        ("*4DME*.xls*", "*4D*.xls*"),
        60.0,
        {**_USUAL, "subject": ("sub_ID", "Subject"), "clip": ("fold_name", "Filename")},
        "sub01/01_01",
    ),
}
_UNITS = {"units": ("Action Units", "AUs", "AU")}


def read_one_sheet(root: Path, dataset: str, fps: float = 0.0) -> Reading:
    """Read the sheet and find each clip's frames by the name of their folder, however deep it lies.

    Args:
        root: Folder with the sheet and the frames.
        dataset: casme, mmew or 4dme.
        fps: Where it is another than the paper's: 4DME has several cameras.

    Raises:
        DatasetError: The sheet, a column, or every frame folder is missing.
    """
    layout = LAYOUTS[dataset]
    sheet = find_file(root, layout.sheets, dataset)
    rows = read_table(sheet, None, layout.columns, _UNITS, dataset)
    folders: dict[str, list[FrameFiles]] = {}
    for folder, names in image_folders(root):
        folders.setdefault(folder.name.lower(), []).append(numbered(folder, names))
    collector = Collector(dataset)
    for row in rows:
        clip = text(row["clip"])
        if not clip or not text(row["subject"]):
            collector.skip(f"{sheet.name} row {row['row']}", "has no subject or no file name")
            continue
        subject = canonical_subject(dataset, text(row["subject"]))
        key = collector.key(text(row["subject"]), clip)
        onset, apex, offset = collector.annotation(key, row)
        if onset is None or offset is None:
            collector.skip(key, f"onset {row['onset']!r} or offset {row['offset']!r} is not a number")
            continue
        found = folders.get(clip.lower(), [])
        mine = [one for one in found if _subject(dataset, one.folder.parent.name) == subject] or found
        if len(mine) != 1:
            places = ", ".join(str(one.folder.relative_to(root)) for one in mine) or "none"
            collector.skip(key, f"one frame folder {clip} is wanted, there is {places}")
            continue
        emotion = emotion_name(text(row["emotion"]))
        label, units = class_of(dataset, emotion, "cde"), text(row["units"])
        rate = fps or layout.fps
        collector.add(
            Sample(key, dataset, subject, label, rate, mine[0], onset, apex, offset, units, emotion)
        )
    if not collector.samples:
        raise stop(dataset, f"no frames for any of {len(rows)} rows, such as {layout.example}", root)
    return collector.reading()


def _subject(dataset: str, folder: str) -> str:
    try:
        return canonical_subject(dataset, folder)
    except ValueError:
        return folder

"""DFME (Zhao et al., 2023): micro-expressions at 200, 300 or 500 fps; the rate is a column."""

from __future__ import annotations

from pathlib import Path

from mer_live.training.datasets.cells import text
from mer_live.training.datasets.frames import image_folders, numbered
from mer_live.training.datasets.identity import canonical_subject
from mer_live.training.datasets.labels import class_of, emotion_name
from mer_live.training.datasets.sample import Collector, Reading, Sample, stop
from mer_live.training.datasets.sheets import find_files, read_table

SHEETS = ("training_full_with_AU.xlsx", "testA*.xlsx", "testB*.xlsx")
_REQUIRED = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("OnsetFrame",),
    "apex": ("ApexFrame",),
    "offset": ("OffsetFrame",),
    "emotion": ("Emotion",),
    "fps": ("Fps",),
}
_OPTIONAL = {"units": ("AU", "Action Units")}


def read_dfme(root: Path) -> Reading:
    """Read every sheet that is there and find each clip's frames (``sub0003_01/109.png``).

    Args:
        root: Folder with the sheets and the frames, at any depth.

    Raises:
        DatasetError: A sheet, a column, or every frame folder is missing.
    """
    folders = {folder.name.lower(): (folder, names) for folder, names in image_folders(root)}
    collector = Collector("dfme")
    count = 0
    for sheet in find_files(root, SHEETS, "dfme"):
        rows = read_table(sheet, None, _REQUIRED, _OPTIONAL, "dfme")
        count += len(rows)
        for row in rows:
            clip = text(row["clip"])
            if not clip or not text(row["subject"]):
                collector.skip(f"{sheet.name} row {row['row']}", "has no subject or no file name")
                continue
            key = collector.key(text(row["subject"]), clip)
            onset, apex, offset = collector.annotation(key, row)
            if onset is None or offset is None:
                collector.skip(key, f"onset {row['onset']!r} or offset {row['offset']!r} is not a number")
                continue
            fps = text(row["fps"])
            if not fps.replace(".", "", 1).isdecimal() or float(fps) <= 0:
                collector.skip(key, f"the rate {fps!r} is not a number")
                continue
            if clip.lower() not in folders:
                collector.skip(key, f"no frame folder {clip}")
                continue
            subject = canonical_subject("dfme", text(row["subject"]))
            emotion = emotion_name(text(row["emotion"]))
            label, units = class_of("dfme", emotion, "cde"), text(row["units"])
            frames = numbered(*folders[clip.lower()])
            collector.add(
                Sample(key, "dfme", subject, label, float(fps), frames, onset, apex, offset, units, emotion)
            )
    if not collector.samples:
        raise stop("dfme", f"no frames for any of {count} rows, such as sub0003_01", root)
    return collector.reading()

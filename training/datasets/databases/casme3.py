"""CAS(ME)^3 part A (Li et al., 2022): micro-expressions at 30 fps, several in one recording, for spotting too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mer_live.training.datasets.cells import text
from mer_live.training.datasets.frames import FrameFiles, image_folders, numbered
from mer_live.training.datasets.identity import canonical_subject
from mer_live.training.datasets.labels import class_of, emotion_name
from mer_live.training.datasets.sample import Collector, Interval, LongVideo, Reading, Sample, stop
from mer_live.training.datasets.sheets import find_file, read_table

SHEET = "casme3_table.xlsx"
FPS = 30.0
_REQUIRED = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("Onset",),
    "apex": ("Apex",),
    "offset": ("Offset",),
    "emotion": ("emotion", "Estimated Emotion"),
}
_OPTIONAL = {"units": ("AU", "Action Units")}


def read_casme3(root: Path) -> Reading:
    """Read sheet ``label`` and find each recording's frames (``spNO.1/a/color/46.jpg``).

    A key ends with the onset, since a recording holds several expressions. In the owners' sheet 55 rows have
    their apex at the onset: these count as not annotated. The sheet lists micro-expressions alone, so a long
    video's macro-expressions are not known.

    Args:
        root: Folder with the sheet and the frames, at any depth.

    Raises:
        DatasetError: The sheet, a column, or every frame folder is missing.
    """
    sheet = find_file(root, [SHEET, "*casme3*.xlsx", "*CAS(ME)3*.xlsx"], "casme3")
    rows = read_table(sheet, "label", _REQUIRED, _OPTIONAL, "casme3")
    folders = _folders(root)
    collector = Collector("casme3")
    for row in rows:
        clip = text(row["clip"]).lower()  # one row writes J for j
        if not clip or not text(row["subject"]):
            collector.skip(f"{sheet.name} row {row['row']}", "has no subject or no file name")
            continue
        subject = canonical_subject("casme3", text(row["subject"]))
        key = collector.key(text(row["subject"]), f"{clip}-{text(row['onset'])}")
        onset, apex, offset = collector.annotation(key, row)
        if onset is None or offset is None:
            collector.skip(key, f"onset {row['onset']!r} or offset {row['offset']!r} is not a number")
            continue
        frames = folders.get((subject, clip))
        if frames is None:
            collector.skip(key, f"no frame folder {text(row['subject'])}/{clip}/color")
            continue
        emotion = emotion_name(text(row["emotion"]))
        label, units = class_of("casme3", emotion, "cde"), text(row["units"])
        collector.add(Sample(key, "casme3", subject, label, FPS, frames, onset, apex, offset, units, emotion))
    if not collector.samples:
        raise stop("casme3", f"no frames for any of {len(rows)} rows, such as spNO.1/a/color", root)
    collector.videos += _videos(collector.samples)
    return collector.reading()


def _videos(samples: Sequence[Sample]) -> list[LongVideo]:
    """The recordings that the samples lie in, each with all of its samples."""
    found: dict[tuple[str, Path], list[Sample]] = {}
    for sample in samples:
        assert isinstance(sample.frames, FrameFiles)
        found.setdefault((sample.subject, sample.frames.folder), []).append(sample)
    videos = []
    for (subject, _), inside in found.items():
        inside.sort(key=lambda sample: (sample.onset, sample.key))
        intervals = tuple(
            Interval(s.key, "micro", s.onset, s.apex, s.offset, s.label, s.action_units, s.emotion)
            for s in inside
        )
        key = inside[0].key.rpartition("-")[0]
        videos.append(LongVideo(key, "casme3", subject, FPS, inside[0].frames, intervals))
    return videos


def _folders(root: Path) -> dict[tuple[str, str], FrameFiles]:
    """(subject, recording) -> its colour frames; the depth images beside them are left alone."""
    return {
        (canonical_subject("casme3", folder.parent.parent.name), folder.parent.name.lower()): numbered(
            folder, names
        )
        for folder, names in image_folders(root)
        if folder.name.lower() == "color"
    }

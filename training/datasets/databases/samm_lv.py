"""SAMM Long Videos (Yap et al., 2020): macro- and micro-expressions in 200 fps recordings, for spotting."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mer_live.training.datasets.cells import text
from mer_live.training.datasets.frames import FrameFiles, image_folders, numbered
from mer_live.training.datasets.identity import canonical_subject
from mer_live.training.datasets.sample import Collector, Interval, LongVideo, Reading, Sample, stop
from mer_live.training.datasets.sheets import find_file, read_table

SHEET = "SAMM_LongVideos_V2_Release.xlsx"
FPS = 200.0
_REQUIRED = {
    "clip": ("Filename",),
    "onset": ("Onset Frame", "Onset"),
    "apex": ("Apex Frame", "Apex"),
    "offset": ("Offset Frame", "Offset"),
    "kind": ("Type",),
}
_OPTIONAL = {"units": ("Action Units",)}


def read_samm_lv(root: Path) -> Reading:
    """Read sheet ``FACS_Movement_Only``; one video per ``006_1``, one interval per row.

    The release gives no emotion, so samples carry no label; apex -1 counts as not annotated, and
    fractional frame numbers are rounded.

    Args:
        root: Folder with the sheet and the frame folders ``006_1``, at any depth.

    Raises:
        DatasetError: The sheet, a column, or every frame folder is missing.
    """
    sheet = find_file(root, [SHEET, "SAMM_LongVideos_V*_Release.xlsx"], "samm-lv")
    rows = read_table(sheet, "FACS_Movement_Only", _REQUIRED, _OPTIONAL, "samm-lv")
    folders = {folder.name.lower(): numbered(folder, names) for folder, names in image_folders(root)}
    collector = Collector("samm-lv")
    intervals: dict[str, list[Interval]] = {}
    used: dict[str, int] = {}
    for row in rows:
        clip = text(row["clip"])
        name = f"{sheet.name} row {row['row']} ({clip})"
        parts = clip.split("_")
        if len(parts) < 3:
            collector.skip(name, "the file name is not SUBJECT_VIDEO_NUMBER such as 006_1_2")
            continue
        kind = interval_kind(row["kind"])
        if kind is None:
            collector.skip(name, f"the type {text(row['kind'])!r} is neither macro nor micro")
            continue
        onset, apex, offset = collector.annotation(name, row)
        if onset is None or offset is None or offset < onset:
            collector.skip(name, f"onset {row['onset']!r} and offset {row['offset']!r} give no interval")
            continue
        if apex is not None and not onset <= apex <= offset:
            collector.note(name, f"apex {apex} lies outside {onset}..{offset} and counts as not annotated")
            apex = None
        used[clip] = used.get(clip, 0) + 1
        suffix = "" if used[clip] == 1 else f"-{used[clip]}"
        key = collector.key(parts[0], clip + suffix)
        video = "_".join(parts[:2])
        intervals.setdefault(video, []).append(
            Interval(key, kind, onset, apex, offset, None, text(row["units"]))
        )
    for video, found in intervals.items():
        frames = folders.get(video.lower())
        if frames is None:
            for interval in found:
                collector.skip(interval.key, f"no frame folder {video}")
            continue
        add_video(collector, video, video.partition("_")[0], FPS, frames, found)
    if not collector.videos:
        raise stop("samm-lv", f"no frames for any of {len(intervals)} videos, such as 006_1", root)
    return collector.reading()


def add_video(
    collector: Collector, video: str, person: str, fps: float, frames: FrameFiles, found: list[Interval]
) -> None:
    """Add a long video, and its micro-expressions as samples of their own."""
    if frames.unclear:
        for interval in found:
            collector.skip(interval.key, frames.unclear)
        return
    subject = canonical_subject(collector.dataset, person)
    ordered = tuple(sorted(found, key=lambda interval: (interval.onset, interval.key)))
    key = collector.key(person, video)
    collector.videos.append(LongVideo(key, collector.dataset, subject, fps, frames, ordered))
    for interval in ordered:
        if interval.kind == "micro":
            collector.add(
                Sample(
                    interval.key,
                    collector.dataset,
                    subject,
                    interval.label,
                    fps,
                    frames,
                    interval.onset,
                    interval.apex,
                    interval.offset,
                    interval.action_units,
                    interval.emotion,
                )
            )


def interval_kind(cell: object) -> Literal["micro", "macro"] | None:
    """Return micro or macro from ``Micro - 1/2``, ``macro-expression`` and the like."""
    written = text(cell).lower()
    if "micro" in written:
        return "micro"
    return "macro" if "macro" in written else None

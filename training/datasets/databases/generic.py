"""Any set without a reader of its own: CLASS/SUBJECT/CLIP folders, or a CSV that lists the clips."""

from __future__ import annotations

import math
import unicodedata
from functools import partial
from pathlib import Path

from mer_live.engines.csv_file import CsvError, read_columns
from mer_live.realtime.sources.container import VIDEOS
from mer_live.realtime.sources.sequence import is_picture
from mer_live.realtime.types import CLASSES
from mer_live.training.datasets.frames import FrameError, FrameFiles, frame_files, video_file
from mer_live.training.datasets.identity import canonical_dataset, canonical_subject, parse_label
from mer_live.training.datasets.labels import class_of, emotion_name
from mer_live.training.datasets.sample import Collector, Frames, Reading, Sample, need_folder, stop

_REQUIRED = ("path", "subject", "label")
_FORMS = (str, partial(unicodedata.normalize, "NFC"), partial(unicodedata.normalize, "NFD"))


def read_folders(root: Path, name: str = "generic", fps: float = 0.0) -> Reading:
    """Read ``CLASS/SUBJECT/CLIP``, where CLIP is a folder of images, a video, or one image.

    CLASS is a class or an emotion (``negative``, ``happiness``, ``2``); folders with another name give
    samples without a label. Onset is the first frame, offset the last, and no apex is annotated.

    Args:
        root: Folder with the class folders.
        name: What the database is to be called.
        fps: Frames per second of image folders; a video's own rate is used where it states one.

    Raises:
        DatasetError: No clip in this layout.
    """
    need_folder("generic", root)
    collector = Collector(canonical_dataset(name))
    for kind in _folders(root):
        for person in _folders(kind):
            for clip in sorted(person.iterdir()):
                usable = clip.is_dir() or is_picture(clip.name) or clip.suffix.lower() in VIDEOS
                if usable and not clip.name.startswith("."):
                    row = {"subject": person.name, "label": kind.name}
                    _add(
                        collector, clip, row, f"{kind.name}/{clip.stem if clip.is_file() else clip.name}", fps
                    )
    if not collector.samples:
        raise stop("generic", "no clip CLASS/SUBJECT/CLIP with images", root)
    return collector.reading()


def read_csv(file: Path, name: str = "generic", fps: float = 0.0) -> Reading:
    """Read a CSV with the columns path, subject, label; optional: clip, fps, onset, apex, offset.

    ``path`` is a folder of images, a video or one image, absolute or relative to the CSV. Frame
    numbers are those in the image names, or counted from 0 in a video.

    Raises:
        DatasetError: The file or a column is missing, or no row can be used.
    """
    if not file.is_file():
        raise stop("generic", f"the file {file} does not exist", file.parent)
    try:
        rows = read_columns(file, _REQUIRED)
    except CsvError as error:
        raise stop("generic", str(error), file.parent) from error
    collector = Collector(canonical_dataset(name))
    for row in rows:
        if row["path"] and row["subject"]:
            _add(collector, _named(file.parent, row["path"]), row, row.get("clip", ""), fps)
        else:
            collector.skip(f"{file.name} line {row['line']}", "has no path or no subject")
    if not collector.samples:
        what = f"{file} has no rows below its header"
        if collector.skipped:
            what = f"none of {len(rows)} rows of {file} can be used; first: {collector.skipped[0].reason}"
        raise stop("generic", what, file.parent)
    return collector.reading()


def _named(folder: Path, written: str) -> Path:
    """What a list names: umlauts of a Mac's disk are two characters each, and Windows writes backslashes."""
    ways = [form(text) for text in (written, written.replace("\\", "/")) for form in _FORMS]
    return next((path for way in ways if (path := folder / way).exists()), folder / written)


def _add(collector: Collector, path: Path, row: dict[str, str], clip: str, fps: float) -> None:
    person = row["subject"]
    # A folder's name is whole: "trial 1.1" and "trial 1.2" have no suffix.
    clip = clip or (path.stem if path.is_file() else path.name)
    try:
        subject = canonical_subject(collector.dataset, person)
    except ValueError as error:
        collector.skip(f"{path} line {row['line']}" if "line" in row else str(path), str(error))
        return
    key = collector.key(person, clip)
    try:
        frames, rate = _frames(path)
    except (FrameError, OSError) as error:
        collector.skip(key, str(error))
        return
    try:
        rate = float(row.get("fps", "").replace(",", ".") or rate or fps)
    except ValueError:
        collector.skip(key, f"fps {row['fps']!r} is not a number")
        return
    if not 0 < rate < math.inf:
        collector.skip(key, "the frame rate is unknown: give it as --fps 200, or in a column fps")
        return
    emotion = emotion_name(row["label"])
    label = class_of(collector.dataset, emotion, "cde")
    if label is None and emotion.isdecimal():
        label = parse_label(emotion) if int(emotion) < len(CLASSES) else None
    onset, apex, offset = collector.annotation(key, row)
    collector.add(
        Sample(
            key=key,
            dataset=collector.dataset,
            subject=subject,
            label=label,
            fps=rate,
            frames=frames,
            onset=frames.numbers[0] if onset is None else onset,
            apex=apex,
            offset=frames.numbers[-1] if offset is None else offset,
            emotion=emotion,
        )
    )


def _frames(path: Path) -> tuple[Frames, float]:
    if path.is_dir():
        inner = path / "frames"
        found = frame_files(inner if inner.is_dir() else path)
        if found is None:
            raise FrameError(f"{path} holds no images")
        return found, 0.0
    if path.suffix.lower() in VIDEOS and path.is_file():
        return video_file(path)
    if is_picture(path.name) and path.is_file():
        return FrameFiles(path.parent, (path.name,), (0,)), 1.0
    raise FrameError(f"{path} is no folder, video or image")


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))

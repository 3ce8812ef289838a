"""CK+ (Lucey et al., 2010): posed macro-expressions from neutral to apex."""

from __future__ import annotations

from pathlib import Path

from mer_live.training.datasets.frames import ClipFolders
from mer_live.training.datasets.identity import canonical_subject
from mer_live.training.datasets.labels import class_of
from mer_live.training.datasets.sample import Collector, Reading, Sample, need_folder, stop

FPS = 30.0
EMOTIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""By the number in ``*_emotion.txt``."""


def read_ckplus(root: Path) -> Reading:
    """Read every sequence with an emotion file; onset is its first frame, apex its last, offset None.

    Args:
        root: Folder with ``cohn-kanade-images`` and ``Emotion``, at any depth.

    Raises:
        DatasetError: No emotion file, or no sequence with frames.
    """
    need_folder("ck+", root)
    files = sorted(path for path in root.rglob("*_emotion.txt") if not path.name.startswith("."))
    if not files:
        raise stop("ck+", "no file Emotion/S005/001/S005_001_*_emotion.txt", root)
    folders = ClipFolders(root, "ck+")
    collector = Collector("ck+")
    for file in files:
        parts = file.name.split("_")
        person, sequence = parts[0], parts[1]
        key = collector.key(person, f"{person}_{sequence}")
        emotion = _emotion(file)
        if emotion is None:
            collector.skip(key, f"{file.name} holds no emotion number 0 to 7")
            continue
        found = folders.find(person, sequence)
        if not found:
            collector.skip(key, f"no frame folder cohn-kanade-images/{person}/{sequence}")
            continue
        frames = found[0]
        label = class_of("ck+", emotion, "cde")
        subject = canonical_subject("ck+", person)
        first, last = frames.numbers[0], frames.numbers[-1]
        collector.add(
            Sample(key, "ck+", subject, label, FPS, frames, first, last, None, _units(file), emotion)
        )
    if not collector.samples:
        raise stop("ck+", "no frames for any sequence, such as cohn-kanade-images/S005/001", root)
    return collector.reading()


def _emotion(file: Path) -> str | None:
    try:
        return EMOTIONS[round(float(file.read_text().split()[0]))]
    except (OSError, ValueError, IndexError):
        return None


def _units(emotion_file: Path) -> str:
    """Join the action units of the sequence's ``FACS/.../*_facs.txt``, where there is one."""
    home = next((p for p in emotion_file.parents if p.name.lower() == "emotion"), None)
    if home is None:
        return ""
    name = emotion_file.name.replace("_emotion.txt", "_facs.txt")
    file = home.parent / "FACS" / emotion_file.relative_to(home).with_name(name)
    if not file.is_file():
        return ""
    numbers = [line.split()[0] for line in file.read_text().splitlines() if line.strip()]
    return "+".join(str(round(float(number))) for number in numbers)

"""MMI (Pantic et al., 2005): posed macro-expressions as videos, one folder per session."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from mer_live.realtime.sources.container import VIDEOS
from mer_live.training.datasets.frames import FrameError, video_file
from mer_live.training.datasets.identity import canonical_subject
from mer_live.training.datasets.labels import class_of
from mer_live.training.datasets.sample import Collector, Reading, Sample, need_folder, stop

FPS = 25.0
EMOTIONS = {1: "anger", 2: "disgust", 3: "fear", 4: "happiness", 5: "sadness", 6: "surprise"}
"""By the value of the metatag ``Emotion``."""
_PERSON = re.compile(r"S(\d+)[-_]", re.IGNORECASE)


def read_mmi(root: Path) -> Reading:
    """Read ``Sessions/N/S001-101.avi`` with the metatag ``Emotion`` of an XML file beside it.

    A sequence goes from neutral to apex and back: onset is the first frame, offset the last, and no
    apex is annotated. The views from the side, which hold a mirror's picture, are as good as the
    face finder makes them.

    Args:
        root: Folder with the session folders, at any depth.

    Raises:
        DatasetError: No video, or none with an emotion.
    """
    need_folder("mmi", root)
    videos = sorted(p for p in root.rglob("*") if p.suffix.lower() in VIDEOS and not p.name.startswith("."))
    if not videos:
        raise stop("mmi", "no video such as Sessions/1767/S001-101.avi", root)
    collector = Collector("mmi")
    for path in videos:
        name = str(path.relative_to(root))
        person = _PERSON.match(path.name)
        if person is None:
            collector.skip(name, "the file name does not begin with the subject, such as S001-")
            continue
        emotion = _emotion(path.parent)
        if emotion is None:
            collector.skip(name, "no XML file beside it has the metatag Emotion 1 to 6")
            continue
        try:
            frames, rate = video_file(path)
        except FrameError as error:
            collector.skip(name, str(error))
            continue
        key = collector.key(person.group(1), path.stem)
        subject = canonical_subject("mmi", person.group(1))
        label = class_of("mmi", emotion, "cde")
        fps = rate if rate > 0 else FPS
        last = frames.numbers[-1]
        collector.add(Sample(key, "mmi", subject, label, fps, frames, 0, None, last, "", emotion))
    if not collector.samples:
        raise stop("mmi", f"{len(videos)} videos, and none with an emotion in an XML file beside it", root)
    return collector.reading()


def _emotion(folder: Path) -> str | None:
    for file in sorted(folder.glob("*.xml")):
        try:
            tree = ElementTree.parse(file)
        except (ElementTree.ParseError, OSError):
            continue
        for element in tree.iter():
            # Namespaces and the case of attribute names differ between the sessions' files.
            values = {name.lower(): value for name, value in element.attrib.items()}
            if element.tag.lower().endswith("metatag") and values.get("name", "").lower() == "emotion":
                value = values.get("value", "")
                return EMOTIONS.get(int(value)) if value.isdigit() else None
    return None

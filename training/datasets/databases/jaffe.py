"""JAFFE (Lyons et al., 1998): still faces, the emotion in the file name (``KA.AN1.39.tiff``)."""

from __future__ import annotations

from pathlib import Path

from mer_live.realtime.sources.sequence import is_picture
from mer_live.training.datasets.frames import FrameFiles
from mer_live.training.datasets.identity import canonical_subject
from mer_live.training.datasets.labels import class_of
from mer_live.training.datasets.sample import Collector, Reading, Sample, need_folder, stop

EMOTIONS = {
    "an": "anger",
    "di": "disgust",
    "fe": "fear",
    "ha": "happiness",
    "ne": "neutral",
    "sa": "sadness",
    "su": "surprise",
}


def read_jaffe(root: Path) -> Reading:
    """Read every image as a clip of one frame: enough for the ``apex`` representation, no motion.

    Raises:
        DatasetError: The folder or every image is missing.
    """
    need_folder("jaffe", root)
    collector = Collector("jaffe")
    for path in sorted(path for path in root.rglob("*") if is_picture(path.name)):
        parts = path.name.split(".")
        emotion = EMOTIONS.get(parts[1][:2].lower()) if len(parts) >= 3 else None
        if emotion is None:
            collector.skip(
                str(path.relative_to(root)), "the name is not SUBJECT.EMOTION.NUMBER such as KA.AN1.39.tiff"
            )
            continue
        key = collector.key(parts[0], ".".join(parts[:-1]))
        frames = FrameFiles(path.parent, (path.name,), (0,))
        subject = canonical_subject("jaffe", parts[0])
        label = class_of("jaffe", emotion, "cde")
        collector.add(Sample(key, "jaffe", subject, label, 1.0, frames, 0, 0, None, "", emotion))
    if not collector.samples:
        raise stop("jaffe", "no image such as KA.AN1.39.tiff", root)
    return collector.reading()

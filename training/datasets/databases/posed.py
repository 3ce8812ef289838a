"""Oulu-CASIA, MUG and BU-3DFE: posed macro-expressions whose paths say everything.

What is from where: paths and emotions are those that public loaders of these databases read. The rates, Oulu-CASIA 25
fps (Zhao et al.; IVC 2011) and MUG 19 (Aifanti et al.; WIAMIS 2010), and how a sequence goes are from memory of the
papers. Nobody has run this on the owners' files here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mer_live.training.datasets.databases.jaffe import EMOTIONS
from mer_live.training.datasets.frames import FrameFiles, image_folders, numbered
from mer_live.training.datasets.identity import canonical_subject
from mer_live.training.datasets.labels import class_of, emotion_name
from mer_live.training.datasets.sample import Collector, Reading, Sample, need_folder, stop


@dataclass(frozen=True, slots=True)
class Posed:
    """How one database names its clips."""

    path: re.Pattern[str]
    """Of a folder of frames, or of a picture: ``subject``, ``emotion``, and ``clip``, what tells it from others."""
    fps: float
    goes: Literal["to the apex", "there and back", "still"]
    """From neutral to the apex; and back; or one picture a clip."""
    example: str


LAYOUTS: Mapping[str, Posed] = {
    "oulu-casia": Posed(
        re.compile(
            r"(?P<clip>(?:(?:VL|NI)/(?:Strong|Weak|Dark)/)?)(?P<subject>P\d+)/(?P<emotion>[A-Za-z]+)$"
        ),
        25.0,
        "to the apex",
        "OriginalImg/VL/Strong/P001/Anger/000.jpeg",
    ),
    "mug": Posed(
        re.compile(r"(?P<subject>\d+)/(?P<emotion>[a-z]+)/(?P<clip>take\d+)$"),
        19.0,
        "there and back",
        "001/happiness/take001/img_0000.jpg",
    ),
    "bu-3dfe": Posed(
        re.compile(r"(?P<subject>[FM]\d{4})_(?P<emotion>[A-Z]{2})(?P<clip>\d\d[A-Z]{2})_F2D\.\w+$"),
        1.0,
        "still",
        "F0001/F0001_AN01WH_F2D.bmp",
    ),
}


def read_posed(root: Path, dataset: str) -> Reading:
    """Read every clip or picture whose path has the database's form; other pictures are passed over.

    Args:
        root: Folder with the people, at any depth. Oulu-CASIA's parts (``VL/Strong``, ``NI/Dark``, ...) are clips of
            their own; papers take VL/Strong, which may be the root. Of copies of a clip the first is kept.
        dataset: oulu-casia, mug or bu-3dfe.

    Raises:
        DatasetError: The folder or every clip is missing.
    """
    need_folder(dataset, root)
    layout, collector = LAYOUTS[dataset], Collector(dataset)
    for path, frames in _places(root.absolute(), layout.goes == "still"):
        found = layout.path.search(path)
        if found is None:
            continue
        emotion = emotion_name(EMOTIONS.get(found["emotion"].lower(), found["emotion"]))
        parts = [part for part in (*found["clip"].split("/"), found["emotion"]) if part]
        key = collector.key(found["subject"], "-".join(parts))
        first, last = frames.numbers[0], frames.numbers[-1]
        collector.add(
            Sample(
                key,
                dataset,
                canonical_subject(dataset, found["subject"]),
                class_of(dataset, emotion, "cde"),
                layout.fps,
                frames,
                first,
                last if layout.goes == "to the apex" else None,
                last if layout.goes == "there and back" else None,
                "",
                emotion,
            )
        )
    if not collector.samples:
        raise stop(dataset, f"no picture such as {layout.example}", root)
    return collector.reading()


def _places(root: Path, still: bool) -> Iterator[tuple[str, FrameFiles]]:
    """Path with slashes and frames of every folder of pictures, or of every picture."""
    for folder, names in image_folders(root):
        if still:
            for name in sorted(names):
                yield (folder / name).as_posix(), FrameFiles(folder, (name,), (0,))
        else:
            yield folder.as_posix(), numbered(folder, names)

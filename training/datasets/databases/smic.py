"""SMIC (Li et al., 2013): three cameras, the label in the clip's name, and no apex."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mer_live.training.datasets.frames import image_folders, numbered
from mer_live.training.datasets.identity import canonical_subject
from mer_live.training.datasets.sample import Collector, Reading, Sample, stop

FOLDERS = {"smic-hs": "SMIC_HS_E", "smic-vis": "SMIC_VIS_E", "smic-nir": "SMIC_NIR_E"}
FPS = {"smic-hs": 100.0, "smic-vis": 25.0, "smic-nir": 25.0}
_CLASSES = {"ne": 0, "po": 1, "sur": 2}
_EMOTIONS = ("negative", "positive", "surprise")
_CLIP = re.compile(r"s0*(\d+)_(ne|po|sur)_0*(\d+)", re.IGNORECASE)


def clip_id(name: str) -> str | None:
    """Return one spelling of a clip id: ``s3_ne_03`` and ``s03_ne_03`` are ``s03_ne_03``; None if neither."""
    match = _CLIP.fullmatch(name.strip())
    if not match:
        return None
    return f"s{int(match.group(1)):02d}_{match.group(2).lower()}_{int(match.group(3)):02d}"


def read_smic(root: Path, dataset: str = "smic-hs") -> Reading:
    """Read one camera's clips: all frames of a folder, onset first, offset last, apex None.

    Args:
        root: Folder that holds ``SMIC_HS_E`` (or ``_VIS_E``, ``_NIR_E``), or that folder itself.
        dataset: ``smic-hs``, ``smic-vis`` or ``smic-nir``.

    Raises:
        DatasetError: No such folder, or no clip in it.
    """
    name = FOLDERS[dataset]
    home = _home(root, name)
    if home is None:
        raise stop(dataset, f"no folder {name}", root)
    collector = Collector(dataset)
    for folder, names in image_folders(home):
        clip = clip_id(folder.name)
        if clip is None:
            # The archives also hold long recordings and faces without a movement.
            collector.skip(str(folder.relative_to(home)), "the name is not like s03_ne_03")
            continue
        subject, kind, _ = clip.split("_")
        frames = numbered(folder, names)
        collector.add(
            Sample(
                key=collector.key(subject, clip),
                dataset=dataset,
                subject=canonical_subject(dataset, subject),
                label=_CLASSES[kind],
                fps=FPS[dataset],
                frames=frames,
                onset=frames.numbers[0],
                apex=None,
                offset=frames.numbers[-1],
                emotion=_EMOTIONS[_CLASSES[kind]],
            )
        )
    if not collector.samples:
        raise stop(dataset, f"{home} holds no clip folder such as s20/s20_ne_01 with images", root)
    return collector.reading()


def _home(root: Path, name: str) -> Path | None:
    if root.name.lower() == name.lower():
        return root if root.is_dir() else None
    for folder, children, _ in os.walk(root):
        depth = len(Path(folder).relative_to(root).parts)
        children[:] = sorted(children) if depth < 3 else []
        for child in children:
            if child.lower() == name.lower():
                return Path(folder) / child
    return None

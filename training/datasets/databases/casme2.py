"""CASME II (Yan et al., 2014): the 2014 sheet or its 2019 revision, cropped or raw frames."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mer_live.training.datasets.cells import text
from mer_live.training.datasets.frames import ClipFolders
from mer_live.training.datasets.identity import canonical_subject
from mer_live.training.datasets.labels import LEFT_OUT_OF_CDE, Scheme, class_of, emotion_name
from mer_live.training.datasets.sample import Collector, Reading, Sample, stop
from mer_live.training.datasets.sheets import find_file, read_table

SHEETS = {"2014": "CASME2-coding-20140508.xlsx", "2019": "CASME2-coding-20190701.xlsx"}
FPS = 200.0
_REQUIRED = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("OnsetFrame",),
    "apex": ("ApexFrame",),
    "offset": ("OffsetFrame",),
    "emotion": ("Estimated Emotion",),
}
_OPTIONAL = {"units": ("Action Units",)}


def read_casme2(
    root: Path,
    scheme: Scheme = "cde",
    revision: Literal["2014", "2019"] = "2014",
    frames: Literal["raw", "cropped", "any"] = "any",
) -> Reading:
    """Read the sheet and find each clip's frames (``sub01/EP02_01f/img46.jpg`` or ``reg_img46.jpg``).

    Args:
        root: Folder with the sheet and the frames, at any depth.
        scheme: Which protocol's classes; cde also leaves out 04/EP12_01f and 05/EP09_05f.
        revision: 2014 is what the protocols count; 2019 differs in 58 rows.
        frames: Owner's crop (a path with "cropped") or raw; ``any`` takes raw before cropped, because
            the live crop wants the whole face.

    Raises:
        DatasetError: The sheet, a column, or every frame folder is missing.
    """
    sheet = find_file(root, [SHEETS[revision]], "casme2")
    rows = read_table(sheet, None, _REQUIRED, _OPTIONAL, "casme2")
    folders = ClipFolders(root, "casme2")
    collector = Collector("casme2")
    for row in rows:
        clip = text(row["clip"])
        if not clip or not text(row["subject"]):
            collector.skip(f"{sheet.name} row {row['row']}", "has no subject or no file name")
            continue
        subject = canonical_subject("casme2", text(row["subject"]))
        key = collector.key(text(row["subject"]), clip)
        onset, apex, offset = collector.annotation(key, row)
        if onset is None or offset is None:
            collector.skip(key, f"onset {row['onset']!r} or offset {row['offset']!r} is not a number")
            continue
        copies = folders.find(subject, clip)
        cropped = [c for c in copies if "crop" in str(c.folder.relative_to(root)).lower()]
        raw = [c for c in copies if c not in cropped]
        usable = {"raw": raw, "cropped": cropped, "any": raw or cropped}[frames]
        if not usable:
            kind = "" if frames == "any" else f"{frames} "
            collector.skip(key, f"no {kind}frame folder sub{subject[-2:]}/{clip}")
            continue
        emotion = emotion_name(text(row["emotion"]))
        label = class_of("casme2", emotion, scheme)
        if scheme == "cde" and (subject, clip) in LEFT_OUT_OF_CDE:
            collector.note(key, "is left out by the MEGC 2019 list, so it has no class here")
            label = None
        units = text(row["units"])
        collector.add(
            Sample(key, "casme2", subject, label, FPS, usable[0], onset, apex, offset, units, emotion)
        )
    if not collector.samples:
        raise stop("casme2", f"no frames for any of {len(rows)} rows, such as Cropped/sub01/EP02_01f", root)
    return collector.reading()

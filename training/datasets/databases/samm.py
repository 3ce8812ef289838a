"""SAMM (Davison et al., 2018): micro-expressions at 200 fps with FACS codes."""

from __future__ import annotations

from pathlib import Path

from mer_live.training.datasets.cells import text
from mer_live.training.datasets.frames import ClipFolders
from mer_live.training.datasets.identity import canonical_subject
from mer_live.training.datasets.labels import Scheme, class_of, emotion_name
from mer_live.training.datasets.sample import Collector, Reading, Sample, stop
from mer_live.training.datasets.sheets import find_file, read_table

SHEET = "SAMM_Micro_FACS_Codes_v2.xlsx"
FPS = 200.0
WRONG_APEX = {("028_4_1", 1143): 1103, ("032_3_1", 1930): 4930}
"""(clip, apex in the sheet) -> right apex; the first lies after its offset, the second before its onset."""
_REQUIRED = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("Onset Frame", "Onset"),
    "apex": ("Apex Frame", "Apex"),
    "offset": ("Offset Frame", "Offset"),
    "emotion": ("Estimated Emotion", "Emotion"),
}
_OPTIONAL = {"units": ("Action Units",)}


def read_samm(root: Path, scheme: Scheme = "cde") -> Reading:
    """Read sheet ``MICRO_ONLY`` and find each clip's frames (``006/006_1_2/006_05562.jpg``).

    Args:
        root: Folder with the sheet and the frames, at any depth.
        scheme: Which protocol's classes.

    Raises:
        DatasetError: The sheet, a column, or every frame folder is missing.
    """
    sheet = find_file(root, [SHEET, "*Micro_FACS_Codes*.xlsx"], "samm")
    rows = read_table(sheet, "MICRO_ONLY", _REQUIRED, _OPTIONAL, "samm")
    folders = ClipFolders(root, "samm")
    collector = Collector("samm")
    for row in rows:
        clip = text(row["clip"])
        if not clip or "_" not in clip:
            collector.skip(f"{sheet.name} row {row['row']}", f"{clip!r} is no file name such as 006_1_2")
            continue
        # Excel turns 006 into 6, but the clip's name keeps the zeros.
        subject = canonical_subject("samm", text(row["subject"]) or clip.partition("_")[0])
        key = collector.key(subject, clip)
        onset, apex, offset = collector.annotation(key, row)
        if onset is None or offset is None:
            collector.skip(key, f"onset {row['onset']!r} or offset {row['offset']!r} is not a number")
            continue
        right = WRONG_APEX.get((clip, apex)) if apex is not None else None
        if right is not None:
            collector.note(key, f"apex {apex} of the sheet is wrong and was corrected to {right}")
            apex = right
        found = folders.find(subject, clip)
        if not found:
            collector.skip(key, f"no frame folder {clip.partition('_')[0]}/{clip}")
            continue
        emotion = emotion_name(text(row["emotion"]))
        label = class_of("samm", emotion, scheme)
        units = text(row["units"])
        collector.add(Sample(key, "samm", subject, label, FPS, found[0], onset, apex, offset, units, emotion))
    if not collector.samples:
        raise stop("samm", f"no frames for any of {len(rows)} rows, such as 006/006_1_2", root)
    return collector.reading()

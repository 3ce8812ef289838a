"""What lies in a session's folder. Every file can be read up to its last whole line or picture at any moment.

session.json    what was recorded, of what, when, with what; at the end ``complete`` and the files' sha256
video.mkv       pictures: frames of the source, or face crops
frames.csv      one row a frame: FRAME_COLUMNS
anchors.jsonl   one line an anchoring: the warp of the face crop and its landmarks
events.jsonl    events as ``--events`` writes them
health.jsonl    one line a second of the stream
markers.jsonl   what was marked from outside, if anything
speaking.jsonl  when the face began to speak and when it had ended, if it did; the last line of a beginning counts
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

FORMAT = 1
"""Version of the layout; readers refuse a later one."""
INFO, VIDEO, FRAMES, ANCHORS = "session.json", "video.mkv", "frames.csv", "anchors.jsonl"
EVENTS, HEALTH, MARKERS, SPEAKING = "events.jsonl", "health.jsonl", "markers.jsonl", "speaking.jsonl"
FRAME_COLUMNS = ("index", "t_ns", "stretch", "picture", "anchor", "level")
"""``picture``: its position in the video, empty where it is not there. ``anchor``: number of the anchoring whose warp
cut its face crop, 0 without a face, empty where the analysis dropped it. ``level``: motion in units of noise."""
Codec = Literal["ffv1", "h264", "crops"]


@dataclass(frozen=True, slots=True)
class RecordConfig:
    """What is recorded."""

    folder: Path
    """New or empty."""
    codec: Codec = "ffv1"
    """ffv1: lossless frames; h264: small and lossy; crops: the 224 px face crops alone, lossless."""
    blurred: bool = False
    """The inner face is blurred beyond recognition in the pictures; such a session cannot be analysed again."""

    def __post_init__(self) -> None:
        if self.codec not in get_args(Codec):
            raise ValueError(f"--record-codec is one of {', '.join(get_args(Codec))}, not {self.codec!r}.")
        if self.blurred and self.codec == "crops":
            raise ValueError("--record-blurred blurs the face, and crops hold nothing else: leave one out.")
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise ValueError(f"--record wants a new or empty folder, and {str(self.folder)!r} is not.")
        if not self.folder.absolute().parent.is_dir():
            raise ValueError(f"The folder of {str(self.folder)!r} does not exist; create it first.")


def is_session(path: str | Path) -> bool:
    """Whether ``path`` is a session's folder."""
    return (Path(path) / INFO).is_file()

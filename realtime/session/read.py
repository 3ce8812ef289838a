"""Reads a session, also one whose recording was cut off: what is whole counts, the rest is left."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Self

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.clock import StartTime
from mer_live.realtime.face.recorded import Anchoring, FaceTrack
from mer_live.realtime.session.layout import (
    ANCHORS,
    EVENTS,
    FORMAT,
    FRAME_COLUMNS,
    FRAMES,
    INFO,
    MARKERS,
    SPEAKING,
    VIDEO,
)
from mer_live.realtime.session.video_file import pixels_of
from mer_live.realtime.types import CLASSES

NONE = -1
_FAR = 60


class SessionError(RuntimeError):
    """A folder is no session that can be read; the message is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class FrameTable:
    """frames.csv as columns, each (T,); NONE where a cell is empty."""

    index: NDArray[np.int64]
    t_ns: NDArray[np.int64]
    stretch: NDArray[np.int64]
    picture: NDArray[np.int64]
    """Position in the video."""
    anchor: NDArray[np.int64]
    """0 without a face; NONE where the analysis dropped the frame."""
    level: NDArray[np.float32]

    @property
    def analysed(self) -> NDArray[np.bool_]:
        """(T,) whether the analysis took the frame."""
        return np.asarray(self.anchor != NONE)


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """A session's tables; pictures are read through `pictures`."""

    folder: Path
    info: dict[str, Any]
    """session.json."""
    frames: FrameTable
    anchorings: dict[int, Anchoring]

    @property
    def classes(self) -> tuple[str, ...]:
        """What its events were decided between; sessions before schemes do not say."""
        return tuple(self.info.get("classes", CLASSES))

    @property
    def cropped(self) -> bool:
        """Whether the pictures are face crops."""
        return bool(self.info["record"]["codec"] == "crops")

    @property
    def track(self) -> FaceTrack:
        """Where the face was."""
        return FaceTrack(self.frames.index, np.maximum(self.frames.anchor, 0), self.anchorings, self.cropped)

    @property
    def start(self) -> StartTime:
        """When its first frame was."""
        told = self.info["start"]
        return StartTime(told["unix_ns"], told["uncertainty_ns"], told["clock"])

    @property
    def zero_ns(self) -> int:
        """Capture time at which the events' times are 0."""
        analysed = np.flatnonzero(self.frames.analysed)
        return int(self.frames.t_ns[analysed[0]]) if len(analysed) else 0

    @property
    def media_shift_s(self) -> float:
        """What to add to an event's time for its place in the video, whose first picture stands at 0."""
        pictured = np.flatnonzero(self.frames.picture == 0)
        return (self.zero_ns - int(self.frames.t_ns[pictured[0]])) / 1e9 if len(pictured) else 0.0

    @property
    def events(self) -> list[dict[str, Any]]:
        """Lines of events.jsonl: every revision of every event."""
        return [line for line in read_lines(self.folder / EVENTS) if line["type"] in ("event", "withdrawn")]

    @property
    def last_revisions(self) -> list[dict[str, Any]]:
        """The newest revision of each event in the order of their onsets; those withdrawn left out."""
        newest = {line["id"]: line for line in self.events}
        return sorted((e for e in newest.values() if e["type"] == "event"), key=lambda e: float(e["onset_s"]))

    @property
    def speaking(self) -> list[tuple[float, float]]:
        """(start, end) of each time in which the face spoke, s as of events; what went on ends with the frames."""
        times = {line["start_ns"]: line["end_ns"] for line in read_lines(self.folder / SPEAKING)}
        zero, last = self.zero_ns, int(self.frames.t_ns[-1]) if len(self.frames.t_ns) else 0
        return [
            (round((start - zero) / 1e9, 4), round(((last if end is None else end) - zero) / 1e9, 4))
            for start, end in times.items()
        ]

    @property
    def markers(self) -> list[dict[str, Any]]:
        """Lines of markers.jsonl."""
        return read_lines(self.folder / MARKERS)


def read_session(folder: str | Path) -> RecordedSession:
    """Read the tables of a session.

    Raises:
        SessionError: no session lies there, or one of a later version.
    """
    folder = Path(folder)
    try:
        info = json.loads((folder / INFO).read_text(encoding="utf-8"))
        version = int(info["format"])
        info["record"]["codec"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SessionError(f"{folder} is no recorded session: name the folder that --record made") from error
    if version > FORMAT:
        raise SessionError(f"{folder} was recorded by a later version (format {version}): update mer-live")
    anchorings = {
        line["anchor"]: Anchoring(
            _fixed(np.array(line["warp"], np.float32)),
            _fixed(np.array(line["landmarks"], np.float32)),
            line.get("person", 1),
        )
        for line in read_lines(folder / ANCHORS)
    }
    return RecordedSession(folder, info, _read_frames(folder / FRAMES), anchorings)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Objects of a JSONL file up to the first line that is not whole; none where there is no file."""
    found: list[dict[str, Any]] = []
    if not path.is_file():
        return found
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                found.append(json.loads(line))
            except ValueError:
                break
    return found


def _read_frames(path: Path) -> FrameTable:
    rows: list[tuple[float, ...]] = []
    if path.is_file():
        text = path.read_text(encoding="utf-8", errors="replace")
        whole = text[: text.rfind("\n") + 1].splitlines()
        for row in csv.reader(whole[1:]):
            try:
                rows.append(tuple(float(NONE) if cell == "" else _number(cell) for cell in row))
            except ValueError:
                break
            if len(rows[-1]) != len(FRAME_COLUMNS):
                rows.pop()
                break
    columns = list(zip(*rows, strict=True)) or [()] * len(FRAME_COLUMNS)
    index, t_ns, stretch, picture, anchor = (_fixed(np.array(column, np.int64)) for column in columns[:5])
    level = _fixed(np.array(columns[5], np.float32))
    return FrameTable(index, t_ns, stretch, picture, anchor, level)


def _number(cell: str) -> float:
    return float(cell) if "." in cell else int(cell)


def _fixed(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _pts_ms(frames: FrameTable) -> NDArray[np.int64]:
    """(P,) of each picture, as `SessionVideo.add` gives them: milliseconds, but always more than the one before."""
    t_ns = frames.t_ns[frames.picture != NONE]
    number = np.arange(len(t_ns))
    return np.asarray(number + np.maximum.accumulate((t_ns - t_ns[:1]) // 1_000_000 - number))


class RecordedPictures:
    """The pictures of a session's video, in order or from a position on; one thread at a time."""

    def __init__(self, session: RecordedSession) -> None:
        """Open the video; one without a picture, as of a recording that was cut off at once, gives none."""
        self.cropped = session.cropped
        self._next = 0
        self._pts = _pts_ms(session.frames)
        self._decoded: Iterator[av.VideoFrame] = iter(())
        self._container: Any = None
        try:
            self._container = av.open(str(session.folder / VIDEO))
            self._container.streams.video[0].thread_type = "AUTO"
            self._decoded = self._container.decode(video=0)
        except (OSError, ValueError, RuntimeError, IndexError):
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def skip_to(self, position: int) -> None:
        """Go to ``position`` by the file's index, where it is far ahead; a file that was cut off has none."""
        if self._container is None or position < self._next + _FAR or position >= len(self._pts):
            return
        stream = self._container.streams.video[0]
        try:
            self._container.seek(int(self._pts[position] / 1000 / stream.time_base), stream=stream)
            self._decoded = self._container.decode(video=0)
            first = next(self._decoded)
        except (OSError, ValueError, RuntimeError, StopIteration):
            return
        self._next = int(np.searchsorted(self._pts, round(first.pts * stream.time_base * 1000)))
        self._decoded = chain((first,), self._decoded)

    def read(self, position: int) -> NDArray[np.uint8] | None:
        """The picture at ``position``, (H, W, 3) BGR or (H, W) gray crops; None past the last whole one.

        Positions are asked for in rising order.
        """
        while True:
            try:
                frame = next(self._decoded, None)
            except (OSError, ValueError, RuntimeError):  # the last picture of a file that was cut off
                frame = None
            if frame is None:
                return None
            self._next += 1
            if self._next > position:
                if frame.format.name == "bgr0":
                    return np.asarray(cv2.cvtColor(pixels_of(frame), cv2.COLOR_BGRA2BGR), np.uint8)
                return np.ascontiguousarray(
                    frame.to_ndarray(format="gray" if self.cropped else "bgr24"), np.uint8
                )

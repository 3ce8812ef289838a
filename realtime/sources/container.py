"""What a video file holds, read from its header: which stream is the recording, and when it begins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av

from mer_live.realtime.sources.config import SourceError

VIDEOS = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".wmv")
"""Endings of files that hold a recording."""
_INTRA_LOSSLESS = frozenset(
    {"ffv1", "ffvhuff", "huffyuv", "magicyuv", "png", "utvideo", "jpeg2000", "prores"}
)
"""Heavy codecs whose frames can be decoded side by side."""
_SCALABLE = frozenset({"vp8", "vp9", "av1"})
_STREAMS = frozenset({"mpegts", "h264", "hevc", "flv"})
"""Codecs and containers in which the picture's size may change."""
_PLACES = 8
"""At which a file of another kind is looked into: a size that changes for an eighth of the recording is noticed."""


@dataclass(frozen=True, slots=True)
class VideoStream:
    """One video stream of a file."""

    position: int
    """0, 1, ... among the file's video streams."""
    of: int
    """How many video streams the file has, cover pictures included."""
    size: tuple[int, int]
    """(width, height) px as coded."""
    codec: str
    frames: int
    """By the header; 0 where it does not tell."""
    length_s: float
    """By the header; 0.0 where it does not tell."""
    own_length: bool
    """That is of this stream alone: a whole file's may be that of its sound, which goes on after the picture."""
    start_s: float
    """Its first picture after the file's first sound or picture, as a player counts."""
    changes: bool
    """Its pictures may change size on the way, as a browser's or a broadcaster's do."""

    @property
    def splits(self) -> bool:
        """Whether more decoder threads help much."""
        return self.codec in _INTRA_LOSSLESS

    @property
    def words(self) -> str:
        """What a reader of the results must know of the choice and the start; '' where nothing is special."""
        told = []
        if self.of > 1:
            told.append(f"video stream {self.position + 1} of {self.of}, the largest")
        if self.start_s >= 0.001:
            told.append(f"its first picture comes at {self.start_s:.3f} s of the file, where times are 0")
        return ", ".join(told)


def find_video(path: Path) -> VideoStream:
    """Choose the largest video stream that is no cover picture; of equal ones the longest, then the first.

    Raises:
        SourceError: No video file, or no picture in it.
    """
    try:
        with av.open(str(path)) as container:
            found = container.streams.video
            streams = [
                _describe(container, number)
                for number, stream in enumerate(found)
                # A stream that no decoder knows has no codec context.
                if stream.codec_context is not None
                and not stream.disposition & av.stream.Disposition.attached_pic
            ]
            if streams:
                chosen = max(streams, key=lambda s: (s.size[0] * s.size[1], s.frames, -s.position))
                return chosen if chosen.changes else replace(chosen, changes=_changes(container, chosen))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{path} is not a video that can be read: {_remedy(path)}") from error
    what = "only cover pictures or video of an unknown kind" if found else "no picture, only sound or data"
    raise SourceError(f"{path} holds {what}: choose the file with the recording")


def _changes(container: av.container.InputContainer, chosen: VideoStream) -> bool:
    """Whether its pictures have other sizes further on; one that was written on the fly may always."""
    stream = container.streams.video[chosen.position]
    if not chosen.length_s or stream.time_base is None:
        return True
    pictures = glimpses(container, stream, chosen.length_s, _PLACES)
    return len({(picture.width, picture.height) for picture in pictures}) > 1


def glimpses(
    container: av.container.InputContainer, stream: av.VideoStream, length_s: float, places: int
) -> Iterator[av.VideoFrame]:
    """The key frames before so many places, evenly spread, and before the end; what cannot be decoded is left out."""
    for place in range(places + 1):
        at = round(length_s * place / places / (stream.time_base or 1)) + (stream.start_time or 0)
        try:
            container.seek(at, stream=stream)
            picture = next(container.decode(stream), None)
        except (av.FFmpegError, OSError, ValueError):
            continue
        if picture is not None:
            yield picture


def _describe(container: av.container.InputContainer, position: int) -> VideoStream:
    stream = container.streams.video[position]
    base, begin_s = float(stream.time_base or 0), (container.start_time or 0) / av.time_base
    start_s = 0.0 if stream.start_time is None else max(0.0, stream.start_time * base - begin_s)
    length_s = float(stream.duration * base) if stream.duration else _told_s(stream, start_s)
    codec = stream.codec_context
    return VideoStream(
        position=position,
        of=len(container.streams.video),
        size=(codec.width, codec.height),
        codec=codec.name,
        frames=stream.frames,
        length_s=length_s or (container.duration or 0) / av.time_base,
        own_length=bool(length_s) or len(container.streams) == 1,
        start_s=start_s,
        changes=codec.name in _SCALABLE or bool(_STREAMS & set(container.format.name.split(","))),
    )


def _told_s(stream: av.VideoStream, start_s: float) -> float:
    """Length by the tag that Matroska has for each stream, as 00:01:02.5 at its end; 0.0 without one."""
    told = re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))
    return max(0.0, int(told[1]) * 3600 + int(told[2]) * 60 + float(told[3]) - start_s) if told else 0.0


def _remedy(path: Path) -> str:
    """Say what is wrong with a file that no demuxer takes, as far as its first bytes tell."""
    with path.open("rb") as file:
        head = file.read(12)
    if not head:
        return "it is empty; copy or record it again"
    if head[4:8] in (b"ftyp", b"moov", b"mdat"):
        return "its index is missing or damaged, as when a recording is not ended; copy or record it again"
    return "play it to check it, or copy or record it again"

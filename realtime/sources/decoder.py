"""Decoders of recorded video: OpenCV's FFmpeg, and PyAV for a stream that OpenCV would not choose.

Both give the same pixels and, checked on variable-rate files with reordered frames, the same presentation
times. OpenCV decodes into memory that it is given (640x480 H.264, one thread: .40 ms a frame against .77),
but always takes a file's first video stream, and distorts pictures whose size changes on the way.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.sources.base import place
from mer_live.realtime.sources.config import SourceError

_quiet_lock = threading.Lock()
_quiet_depth = 0
_quiet_level = 0


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV from writing to stderr what the caller says in an exception."""
    global _quiet_depth, _quiet_level
    # Read once by OpenCV, when it first opens a video; -8 is FFmpeg's "quiet".
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    # The level belongs to the process: the first to come saves it, the last to go restores it.
    with _quiet_lock:
        if _quiet_depth == 0:
            _quiet_level = cv2.utils.logging.getLogLevel()
            cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        _quiet_depth += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if _quiet_depth == 0:
                cv2.utils.logging.setLogLevel(_quiet_level)


class Decoder(Protocol):
    """Gives a stream's frames one after another."""

    size: tuple[int, int]
    """(width, height) px of the frames, upright."""
    nominal_fps: float
    """What the header tells, 0.0 if nothing."""

    def grab(self) -> bool:
        """Go to the next frame; False at the end, or where nothing more can be decoded."""
        ...

    def stamp_ns(self) -> int | None:
        """Presentation time of the grabbed frame since the stream's first; None where it has none."""
        ...

    def retrieve(self, slot: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Put the grabbed frame into ``slot`` (H, W, 3) uint8 BGR and return it, or a picture of another size.

        None where it cannot be decoded.
        """
        ...

    def close(self) -> None:
        """Give the file back."""
        ...


class OpenCvDecoder:
    """A file's first video stream."""

    def __init__(self, capture: cv2.VideoCapture, name: str) -> None:
        """Take an open capture; SourceError when it does not tell its frame size."""
        self._capture = capture
        self._ticks: float | None = None
        self._last_ns = 0
        self.size = frame_size(capture, name)
        self.nominal_fps = max(0.0, float(capture.get(cv2.CAP_PROP_FPS)))

    def grab(self) -> bool:
        """Go to the next frame."""
        return bool(self._capture.grab())

    def stamp_ns(self) -> int | None:
        """Milliseconds as float64: exact to well under a microsecond for days.

        In an AVI with reordered frames those that the decoder holds back until the end come without a time, though
        the file has it: they go on at the header's rate.
        """
        position_ms, ticks = (float(self._capture.get(p)) for p in (cv2.CAP_PROP_POS_MSEC, cv2.CAP_PROP_PTS))
        # For a frame without a time OpenCV tells 0 and leaves the ticks of the frame before.
        known = position_ms != 0 or ticks != self._ticks
        self._ticks = ticks
        if known and math.isfinite(position_ms):
            self._last_ns = round(position_ms * 1e6)
        elif self._last_ns and self.nominal_fps:  # else nothing in the file has a time
            self._last_ns += round(1e9 / self.nominal_fps)
        else:
            return None
        return self._last_ns

    def retrieve(self, slot: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Decode into ``slot``; FFmpeg scales what changes its size on the way."""
        return slot if retrieve(self._capture, slot) else None

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


class AvDecoder:
    """Any video stream of a file."""

    def __init__(self, path: str, position: int, threads: int) -> None:
        """Open video stream number ``position``, from 0."""
        self._container = av.open(path)
        self._stream = stream = self._container.streams.video[position]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        self._frames = self._container.decode(stream)
        self._frame: Any = None
        self._ahead = False
        # The first frame tells the size: raw streams know none before, and a phone's picture is turned.
        self._ahead = self.grab()
        self.size = upright(self._frame).shape[1::-1] if self._ahead else (0, 0)
        self.nominal_fps = float(stream.average_rate or stream.base_rate or 0)
        self._start = stream.start_time or 0

    def grab(self) -> bool:
        """Decode the next frame."""
        if self._ahead:
            self._ahead = False
            return True
        try:
            self._frame = next(self._frames, None)
        except (av.FFmpegError, OSError, ValueError):
            self._frame = None
        return self._frame is not None

    def stamp_ns(self) -> int | None:
        """Ticks of the stream's own time base, made nanoseconds."""
        frame = self._frame
        return (
            None if frame.pts is None else round((frame.pts - self._start) * frame.time_base * 1_000_000_000)
        )

    def retrieve(self, slot: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Convert into ``slot``, or return the picture where its size has changed."""
        image = upright(self._frame)
        if image.shape != slot.shape:
            return image
        np.copyto(slot, image)
        return slot

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def upright(frame: Any) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR of PyAV's frame, turned as its file tells."""
    image = frame.to_ndarray(format="bgr24")
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.asarray(np.rot90(image, turns) if turns else image, np.uint8)


def frame_size(capture: cv2.VideoCapture, name: str) -> tuple[int, int]:
    """Return (width, height) px; SourceError when there is none."""
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if width < 1 or height < 1:
        raise SourceError(f"{name} does not tell its frame size: play it in a video player to check it")
    return width, height


def retrieve(capture: cv2.VideoCapture, slot: NDArray[np.uint8]) -> bool:
    """Decode the grabbed frame into ``slot``; one more copy only if OpenCV could not write in place."""
    ok, image = capture.retrieve(slot)
    # A rotated or resized frame comes back as a new array; in place it is another view of the slot.
    if ok and not np.may_share_memory(image, slot):
        place(image, slot)
    return bool(ok)

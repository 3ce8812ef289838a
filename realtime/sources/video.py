"""Recorded video and network streams, decoded by OpenCV's FFmpeg straight into the ring.

OpenCV rather than PyAV: both give the same pixels and, checked on variable-rate files with reordered
frames, the same presentation times, but OpenCV decodes into memory that it is given (640x480 H.264, one
thread: 1.5 ms a frame against 2.1).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.sources.base import CameraConfig, FrameSource, SourceError, place

logger = logging.getLogger(__name__)

_RETRY_LONGEST_S = 4.0
_PEEK = 4


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


def is_url(source: int | str) -> bool:
    """Whether ``source`` is an address such as http:// or rtsp://."""
    return isinstance(source, str) and "://" in source


def public_url(url: str) -> str:
    """Return the address without a user name and password, for people and logs."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def open_capture(cfg: CameraConfig) -> cv2.VideoCapture:
    """Open ``cfg.source`` with FFmpeg; the result may be not opened."""
    options = [cv2.CAP_PROP_N_THREADS, cfg.decoder_threads]
    if is_url(cfg.source):
        timeout_ms = max(1, round(cfg.read_timeout_s * 1000))
        options += [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]
    with quiet_opencv():
        return cv2.VideoCapture(str(cfg.source), cv2.CAP_FFMPEG, options)


def frame_size(capture: cv2.VideoCapture, name: str) -> tuple[int, int]:
    """Return (width, height) px; SourceError when there is none."""
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if width < 1 or height < 1:
        raise SourceError(f"{name} does not tell its frame size: play it in a video player to check it")
    return width, height


def duration_s(capture: cv2.VideoCapture) -> float:
    """Length as its header tells, 0.0 when it does not (an endless stream, a raw elementary stream)."""
    count, fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    return count / fps if count > 0 and fps > 0 else 0.0


def retrieve(capture: cv2.VideoCapture, slot: NDArray[np.uint8]) -> bool:
    """Decode the grabbed frame into ``slot``; one more copy only if OpenCV could not write in place."""
    ok, image = capture.retrieve(slot)
    # A rotated or resized frame comes back as a new array; in place it is another view of the slot.
    if ok and not np.may_share_memory(image, slot):
        place(image, slot)
    return bool(ok)


class FileSource(FrameSource):
    """A recorded video, local or at a URL, with its own presentation times (or n / ``cfg.fps``).

    Where the frame size changes on the way, FFmpeg scales the rest to the first size.
    """

    def __init__(self, cfg: CameraConfig, capture: cv2.VideoCapture, name: str) -> None:
        size = frame_size(capture, name)
        nominal_fps = max(0.0, float(capture.get(cv2.CAP_PROP_FPS)))
        self._length_s = duration_s(capture)
        rate = f"{nominal_fps:g} fps by its header" if cfg.fps is None else f"taken as {cfg.fps:g} fps"
        super().__init__(
            cfg,
            size=size,
            recorded=True,
            nominal_fps=nominal_fps,
            description=f"{name}: {size[0]}x{size[1]}, {rate}, pace {cfg.pace}",
        )
        self._capture = capture
        self._count = 0
        self._position_s = 0.0
        self._hint: str | None = None

    @property
    def hint(self) -> str | None:
        """Says so when the file ended well before the length its header tells."""
        return self._hint

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        """Decode the next frame into ``slot``; its presentation time, ns."""
        if not (self._capture.grab() and retrieve(self._capture, slot)):
            short_s = self._length_s - self._position_s
            if short_s > max(0.25, 0.02 * self._length_s):
                self._hint = (
                    f"the video ended at {self._position_s:.2f} s of {self._length_s:.2f} s: "
                    "it is damaged or was cut off, record or download it again if the rest matters"
                )
                logger.warning(self._hint)
            return None
        # Milliseconds from the stream's start as float64: exact to well under a microsecond for days.
        position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        self._position_s = position_ms / 1000
        number = self._count
        self._count += 1
        return round(position_ms * 1e6) if self.cfg.fps is None else round(number * 1e9 / self.cfg.fps)

    def release(self) -> None:
        """Close the file."""
        self._capture.release()


class UrlSource(FrameSource):
    """A live network stream; a frame's time is its arrival, since an MJPEG stream carries none.

    When it drops, it is opened again with growing pauses until ``cfg.retry_s`` have passed without a frame.
    """

    def __init__(
        self, cfg: CameraConfig, capture: cv2.VideoCapture, name: str, reopen: Callable[[], cv2.VideoCapture]
    ) -> None:
        size = frame_size(capture, name)
        super().__init__(
            cfg,
            size=size,
            recorded=False,
            # What FFmpeg tells of a stream without times is an invention (25); only measuring helps.
            nominal_fps=0.0,
            description=f"{name}: {size[0]}x{size[1]}, live stream",
        )
        self._name = name
        self._capture = capture
        self._reopen = reopen
        self.reconnects = 0
        """Times that a dropped stream came back."""

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        """Wait for the next frame, connecting again where needed; its arrival time, ns."""
        t_ns = self._receive(slot)
        if t_ns is not None:
            return t_ns
        dropped_ns = time.monotonic_ns()
        pause_s = self.cfg.retry_first_s
        logger.warning("%s dropped; connecting again", self._name)
        while True:
            self._capture.release()
            waited_s = (time.monotonic_ns() - dropped_ns) / 1e9
            if waited_s + pause_s > self.cfg.retry_s:
                raise SourceError(
                    f"{self._name} dropped and did not come back within {self.cfg.retry_s:g} s: "
                    "check the camera and the network, then start again"
                )
            if self._halt.wait(pause_s):
                return None
            pause_s = min(2 * pause_s, _RETRY_LONGEST_S)
            self._capture = self._reopen()
            t_ns = self._receive(slot)
            if t_ns is not None:
                self.reconnects += 1
                return t_ns

    def _receive(self, slot: NDArray[np.uint8]) -> int | None:
        if self._halt.is_set() or not self._capture.isOpened() or not self._capture.grab():
            return None
        t_ns = time.monotonic_ns()
        return t_ns if retrieve(self._capture, slot) else None

    def release(self) -> None:
        """Close the connection."""
        self._capture.release()


def open_video(cfg: CameraConfig, name: str) -> FrameSource:
    """Open a file or URL; what has a length is a recording, a URL without one is live."""
    capture = open_capture(cfg)
    if not capture.isOpened():
        raise SourceError(
            f"{name} does not answer with a video stream: check the address, and that the server is up"
            if is_url(cfg.source)
            else f"{name} is not a video that can be read: play it to check it, or convert it to MP4"
        )
    try:
        if is_url(cfg.source) and duration_s(capture) == 0.0:
            return UrlSource(cfg, capture, name, lambda: open_capture(cfg))
        if not is_url(cfg.source):
            _peek(cfg, capture, name)
            capture.release()
            capture = open_capture(cfg)
        return FileSource(cfg, capture, name)
    except SourceError:
        capture.release()
        raise


def _peek(cfg: CameraConfig, capture: cv2.VideoCapture, name: str) -> None:
    """Refuse a file without frames, and one without times whose rate nobody told."""
    positions_ms = []
    for _ in range(_PEEK):
        if not capture.grab():
            break
        positions_ms.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    if not positions_ms:
        raise SourceError(f"{name} holds no video frame that can be read: record or convert it again")
    if len(positions_ms) > 1 and not any(positions_ms) and cfg.fps is None:
        raise SourceError(f"{name} carries no frame times: give the rate it was recorded at, as --fps 200")

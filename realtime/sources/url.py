"""Live network streams: an IP camera, opened again when it drops."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.decoder import frame_size, retrieve

logger = logging.getLogger(__name__)

_RETRY_LONGEST_S = 4.0


def is_url(source: int | str) -> bool:
    """Whether ``source`` is an address such as http:// or rtsp://."""
    return isinstance(source, str) and "://" in source


def public_url(url: str) -> str:
    """Return the address without a user name and password, for people and logs. Raises SourceError: it is none."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise SourceError(f"{url} is no address ({error}): check how it is written") from error
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


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

    @property
    def facts(self) -> dict[str, Any]:
        """How often the stream was lost and came back."""
        return {"reconnects": self.reconnects}

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
                self.stretch += 1
                return t_ns

    def _receive(self, slot: NDArray[np.uint8]) -> int | None:
        if self._halt.is_set() or not self._capture.isOpened() or not self._capture.grab():
            return None
        t_ns = time.monotonic_ns()
        return t_ns if retrieve(self._capture, slot) else None

    def release(self) -> None:
        """Close the connection."""
        self._capture.release()

"""A WebRTC video track as a frame source: the event loop hands frames over, the capture thread converts."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import cv2
import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

from mer_live.realtime.sources.base import FrameSource, place
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.web.media.clock import SenderClock

PATIENCE_NS = 3_000_000_000
"""When all frames are late for this long, the way itself has become longer: the clock begins anew."""


class TrackSource(FrameSource):
    """Frames that arrive by WebRTC. ``offer`` is called by the event loop and never waits for anything.

    Between the loop and the capture thread lie at most ``depth`` frames; when the thread cannot keep up the
    oldest is dropped. A frame that comes ``late_s`` later than the quickest is not analysed, so that a
    backlog before us (aiortc decodes whatever arrives, however late) is worked off at the price of decoding
    alone. Both are counted in ``lost``, with what ``undecoded`` (frames given up before the decoder, so far) has
    grown by since the start. Another picture size is scaled into the first one (`place`).
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        depth: int = 8,
        late_s: float = 0.5,
        undecoded: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__(
            CameraConfig(source="webrtc"),
            size=size,
            recorded=False,
            nominal_fps=0.0,
            description=f"browser camera: {size[0]}x{size[1]}",
        )
        self.clock = SenderClock()
        self.received = 0
        """Frames decoded, muted ones included."""
        self.received_size: tuple[int, int] | None = None
        """(width, height) of the newest frame as it arrived."""
        self._lost = 0
        self._undecoded, self._undecoded_before = undecoded, undecoded()
        self.muted = False
        """While set, frames are received and thrown away unseen."""
        self._depth = depth
        self._late_ns = round(late_s * 1e9)
        self._waiting: deque[tuple[VideoFrame, int]] = deque()
        self._news = threading.Condition()
        self._late_since_ns: int | None = None

    @property
    def lost(self) -> int:
        """Frames that were not decoded, came late, or were dropped on the way to the capture thread."""
        return self._lost + self._undecoded() - self._undecoded_before

    def offer(self, frame: VideoFrame, arrived_ns: int) -> None:
        """Hand a decoded frame over; called by the event loop, for every frame in order of arrival."""
        self.received += 1
        self.received_size = (frame.width, frame.height)
        if self.muted or frame.pts is None or frame.time_base is None:
            return
        t_ns = self.clock.add(round(frame.pts * frame.time_base * 1_000_000_000), arrived_ns)
        if t_ns is None or self._is_late(t_ns, arrived_ns):
            return
        with self._news:
            if len(self._waiting) >= self._depth:
                self._waiting.popleft()
                self._lost += self._ring is not None  # before the start there is nobody to lose them
            self._waiting.append((frame, t_ns))
            self._news.notify()

    def _is_late(self, t_ns: int, arrived_ns: int) -> bool:
        if arrived_ns - t_ns < self._late_ns:
            self._late_since_ns = None
            return False
        self._late_since_ns = self._late_since_ns or arrived_ns
        if arrived_ns - self._late_since_ns > PATIENCE_NS:
            self.clock.restart()
            self._late_since_ns = None
        self._lost += self._ring is not None
        return True

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        """Wait for a frame and convert it into ``slot``; its time on the monotonic clock, ns."""
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._halt.is_set())
            if self._halt.is_set():
                return None
            frame, t_ns = self._waiting.popleft()
        convert(frame, slot)
        return t_ns

    def stop(self) -> None:
        """End now; wakes the capture thread and lets go of the frames."""
        super().stop()
        with self._news:
            self._waiting.clear()
            self._news.notify_all()


def convert(frame: VideoFrame, slot: NDArray[np.uint8]) -> None:
    """Put a decoded frame into ``slot`` (H, W, 3) BGR.

    What every browser sends, 4:2:0 with limited range, goes straight into the slot; the rest by way of
    FFmpeg's scaler and `place`.
    """
    height, width = slot.shape[:2]
    plain = frame.format.name == "yuv420p" and width % 2 == 0 and height % 2 == 0
    if plain and (frame.width, frame.height) == (width, height):
        cv2.cvtColor(frame.to_ndarray(), cv2.COLOR_YUV2BGR_I420, dst=slot)
    else:
        place(frame.to_ndarray(format="bgr24"), slot)


def analysed_size(
    first: tuple[int, int], announced: tuple[int, int] | None, most_pixels: int
) -> tuple[int, int]:
    """(width, height) to analyse a stream at.

    Args:
        first: of the first frame; a browser may begin small and grow.
        announced: what the page's camera says, trusted where its shape agrees with the first frame's.
        most_pixels: larger pictures are scaled down to this area; the sides are even.
    """
    width, height = first
    if announced is not None and announced[0] > width:
        wide, high = announced
        if abs(wide * height - high * width) <= 0.02 * wide * height:
            width, height = announced
    scale = min(1.0, (most_pixels / (width * height)) ** 0.5)
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)


def now_ns() -> int:
    """The one clock of the live path."""
    return time.monotonic_ns()

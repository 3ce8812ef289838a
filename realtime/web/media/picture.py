"""Video for viewers of the server's camera: the ring's newest frame, 30 times a second."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import cv2
import numpy as np
from aiortc import MediaStreamTrack
from av import VideoFrame
from numpy.typing import NDArray

_CLOCK_HZ = 90_000
_MOST_PIXELS = 1280 * 720


class Pictures:
    """The newest picture, and a way to wait for the next one; used by the event loop alone."""

    def __init__(self) -> None:
        self.viewers = 0
        """Tracks that want pictures; without any, none need be made."""
        self._picture: NDArray[np.uint8] | None = None
        self._t_ns = 0
        self._number = 0
        self._news = asyncio.Condition()

    async def publish(self, image_bgr: NDArray[np.uint8], t_ns: int) -> None:
        """Make ``image_bgr`` (H, W, 3) uint8, captured at ``t_ns``, the newest; it is copied."""
        yuv = to_yuv420(image_bgr)
        async with self._news:
            self._picture, self._t_ns = yuv, t_ns
            self._number += 1
            self._news.notify_all()

    async def after(self, number: int) -> tuple[int, int, NDArray[np.uint8]]:
        """(number, capture time, I420 picture) of the newest picture after ``number``, waiting for it."""
        async with self._news:
            await self._news.wait_for(lambda: self._number > number and self._picture is not None)
            assert self._picture is not None
            return self._number, self._t_ns, self._picture


class PictureTrack(MediaStreamTrack):  # type: ignore[misc]  # aiortc is untyped here
    """One viewer's video; a slow encoder skips pictures and never falls behind."""

    kind = "video"

    def __init__(self, pictures: Pictures) -> None:
        super().__init__()
        self._pictures = pictures
        self._number = 0
        self._pts = -1
        pictures.viewers += 1

    async def recv(self) -> VideoFrame:
        """The next picture, in memory of its own: the encoder writes into the frame's fields."""
        self._number, t_ns, picture = await self._pictures.after(self._number)
        frame = VideoFrame.from_ndarray(picture, format="yuv420p")
        self._pts = max(self._pts + 1, t_ns * _CLOCK_HZ // 1_000_000_000)
        frame.pts, frame.time_base = self._pts, Fraction(1, _CLOCK_HZ)
        return frame

    def stop(self) -> None:
        """The viewer has gone."""
        if self.readyState == "live":
            self._pictures.viewers -= 1
        super().stop()


def to_yuv420(image_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) BGR -> (H * 3 / 2, W) I420 with limited range; at most 1280x720 pixels, even sides."""
    height, width = image_bgr.shape[:2]
    scale = min(1.0, (_MOST_PIXELS / (width * height)) ** 0.5)
    size = max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)
    if size != (width, height):
        image_bgr = np.asarray(cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)

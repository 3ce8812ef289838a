"""mer-web in the test's own process, and a camera that plays a clip to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any

import numpy as np
from aiohttp.test_utils import TestClient, TestServer
from aiortc import (
    MediaStreamTrack,
)
from av import VideoFrame
from numpy.typing import NDArray

from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.specs import AdmSpec
from mer_live.realtime.motion.cpu import CpuStage
from mer_live.realtime.recognition.recognizer import Recognition
from mer_live.realtime.types import CLASSES
from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.server import Site, make_app


class SureRecognizer:
    """Stands in for the engines where the class of an event is not what is tested."""

    engine, backend, why = "sure", "none", "a test"
    bundles = ()
    classes = CLASSES
    adm = AdmSpec()
    open_stage = CpuStage
    looks_at = None

    def recognize(self, clip: Clip) -> Recognition:
        return Recognition(np.array([0.1, 0.2, 0.7], np.float32), ())


class ClipTrack(MediaStreamTrack):
    """Frames (N, H, W, 3) BGR at ``fps`` as a camera would give them; the first one until ``play`` is called."""

    kind = "video"

    def __init__(self, frames: NDArray[np.uint8], fps: float = 30.0) -> None:
        super().__init__()
        self.sent = 0
        self._frames, self._fps = frames, fps
        self._begin = 0.0
        self._first: int | None = None

    def play(self) -> None:
        self._first = self.sent

    async def recv(self) -> VideoFrame:
        self._begin = self._begin or time.monotonic()
        await asyncio.sleep(max(0.0, self._begin + self.sent / self._fps - time.monotonic()))
        number = 0 if self._first is None else self.sent - self._first
        image = self._frames[min(number, len(self._frames) - 1)]
        frame = VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts, frame.time_base = round(self.sent * 90_000 / self._fps), Fraction(1, 90_000)
        self.sent += 1
        return frame


@asynccontextmanager
async def serving(
    config: WebConfig | None = None, recognizer: Any = None
) -> AsyncIterator[tuple[Site, TestClient[Any, Any]]]:
    """A server on a free port; at the end all its sessions are closed."""
    site = Site(config or WebConfig(), recognizer or SureRecognizer())
    async with TestClient(TestServer(make_app(site))) as http:
        yield site, http


def counted(site: Site, name: str) -> dict[str, float]:
    """By label, the values of a counter of /metrics; of one without labels under ''."""
    return {
        next(iter(sample.labels.values()), ""): sample.value
        for metric in site.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == name
    }


async def emptied(site: Site, s: float = 60) -> None:
    """Wait until no session is left."""
    async with asyncio.timeout(s):
        while len(site.sessions):
            await asyncio.sleep(0.02)

"""A page without a browser: an aiortc peer that offers, sends a clip, and keeps what it is told."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any

import numpy as np
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from av import VideoFrame
from numpy.typing import NDArray

from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.specs import AdmSpec
from mer_live.realtime.recognition.recognizer import Recognition
from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.server import Site, make_app

Message = dict[str, Any]


class SureRecognizer:
    """Stands in for the engines where the class of an event is not what is tested."""

    engine, backend, why = "sure", "none", "a test"
    adm = AdmSpec()

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


class Page:
    """One visitor."""

    def __init__(
        self, http: TestClient[Any, Any] | ClientSession, track: MediaStreamTrack | None = None
    ) -> None:
        self.http = http
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel: RTCDataChannel = self.pc.createDataChannel("mer")
        self.messages: list[Message] = []
        self.pictures = 0
        self.closed = asyncio.Event()
        self._news = asyncio.Condition()
        if track is None:
            self.pc.addTransceiver("video", direction="recvonly")
        else:
            self.pc.addTrack(track)
        self.channel.on("message", self._on_message)
        self.channel.on("close", self.closed.set)
        self.pc.on("track", self._on_track)
        self._tasks: set[asyncio.Task[None]] = set()

    async def offer(self, **content: Any) -> tuple[int, Message]:
        """Post the offer; status and answer. A 200 answer is also set."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        status, answer = await post_offer(self.http, {"sdp": self.pc.localDescription.sdp, **content})
        if status == 200:
            await self.pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
        return status, answer

    async def until(
        self, kind: str, wanted: Callable[[Message], bool] = lambda _: True, s: float = 30
    ) -> Message:
        """The first message of ``kind`` that is wanted, however long ago it came."""

        def found() -> Message | None:
            return next((m for m in self.messages if m["type"] == kind and wanted(m)), None)

        async with asyncio.timeout(s), self._news:
            await self._news.wait_for(lambda: found() is not None)
        message = found()
        assert message is not None
        return message

    def send(self, **content: Any) -> None:
        self.channel.send(json.dumps({"v": 1, **content}))

    async def close(self) -> None:
        await self.pc.close()
        for task in self._tasks:
            task.cancel()

    def _on_message(self, data: str) -> None:
        self.messages.append(json.loads(data))
        self._spawn(self._notify())

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._spawn(self._watch(track))

    async def _watch(self, track: MediaStreamTrack) -> None:
        while True:
            await track.recv()
            self.pictures += 1

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def post_offer(
    http: TestClient[Any, Any] | ClientSession, body: Message | bytes, **headers: str
) -> tuple[int, Message]:
    """POST /offer as our own page would, unless ``headers`` (or those of a session) say otherwise."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    origin = {} if isinstance(http, ClientSession) else {"Origin": f"http://{http.host}:{http.port}"}
    async with http.post("/offer", data=data, headers={**origin, **headers}) as response:
        return response.status, await response.json()


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


async def emptied(site: Site, s: float = 15) -> None:
    """Wait until no session is left."""
    async with asyncio.timeout(s):
        while len(site.sessions):
            await asyncio.sleep(0.02)

"""A page without a browser: an aiortc peer that offers, sends pictures, and keeps what it is told."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import deque
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from aiohttp import ClientSession
from aiohttp.test_utils import TestClient
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from av import CodecContext, Packet, VideoFrame

from mer_live.benchmarks.inputs import demo_recording

Message = dict[str, Any]
Http = ClientSession | TestClient[Any, Any]
_CLOCK_HZ = 90_000


class Visitor:
    """One visitor; without a ``track`` one who watches the server's camera."""

    def __init__(self, http: Http, track: MediaStreamTrack | None = None, *, kept: int | None = None) -> None:
        self.http = http
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel: RTCDataChannel = self.pc.createDataChannel("mer")
        self.messages: deque[Message] = deque(maxlen=kept)
        """The newest ``kept``; all of them by default."""
        self.pictures = 0
        self.closed = asyncio.Event()
        self._news = asyncio.Condition()
        if track is None:
            self.pc.addTransceiver("video", direction="recvonly")
        else:
            self.pc.addTrack(track)
        self.channel.on("message", self._on_message)
        self.channel.on("close", self._on_close)
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
        """The first message of ``kind`` that is wanted, however long ago it came.

        Raises TimeoutError; ConnectionResetError when the connection ends and no such message has come.
        """

        def found() -> Message | None:
            return next((m for m in self.messages if m["type"] == kind and wanted(m)), None)

        async with asyncio.timeout(s), self._news:
            await self._news.wait_for(lambda: found() is not None or self.closed.is_set())
        if (message := found()) is None:
            raise ConnectionResetError(f"the connection has ended without {kind!r}")
        return message

    def send(self, **content: Any) -> None:
        """Send one message of the page's side."""
        self.channel.send(json.dumps({"v": 1, **content}))

    async def close(self) -> None:
        """Hang up."""
        await self.pc.close()
        for task in self._tasks:
            task.cancel()

    def _on_message(self, data: str) -> None:
        self.messages.append(json.loads(data))
        self._spawn(self._notify())

    def _on_close(self) -> None:
        self.closed.set()
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


async def post_offer(http: Http, body: Message | bytes, **headers: str) -> tuple[int, Message]:
    """POST /offer as our own page would, unless ``headers`` (or those of a session) say otherwise."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    origin = {} if isinstance(http, ClientSession) else {"Origin": f"http://{http.host}:{http.port}"}
    async with http.post("/offer", data=data, headers={**origin, **headers}) as response:
        return response.status, await response.json()


class PlayedTrack(MediaStreamTrack):  # type: ignore[misc]  # aiortc is untyped here
    """Encoded pictures sent over and over at ``fps``, as they are: sending costs next to nothing."""

    kind = "video"

    def __init__(self, pictures: Iterable[bytes], fps: float) -> None:
        super().__init__()
        self._pictures = itertools.cycle(pictures)
        self._fps = fps
        self._begin = time.monotonic()
        self._sent = 0

    async def recv(self) -> Packet:
        """The next picture when its time has come."""
        await asyncio.sleep(max(0.0, self._begin + self._sent / self._fps - time.monotonic()))
        packet = Packet(next(self._pictures))
        packet.pts, packet.time_base = round(self._sent * _CLOCK_HZ / self._fps), Fraction(1, _CLOCK_HZ)
        self._sent += 1
        return packet


def encoded_demo(fps: int, size: tuple[int, int], seconds: float) -> list[bytes]:
    """The beginning of the demo clip as VP8 pictures of ``size`` (width, height), a key frame every second."""
    codec = CodecContext.create("libvpx", "w")
    codec.width, codec.height = size
    codec.pix_fmt, codec.time_base, codec.bit_rate = "yuv420p", Fraction(1, fps), 1_000_000
    codec.gop_size = fps
    codec.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"}
    made: list[bytes] = []
    for number, image in enumerate(demo_recording(seconds).at_rate(fps).at_size(*size).frames):
        frame = VideoFrame.from_ndarray(image, "bgr24").reformat(format="yuv420p")
        frame.pts = number
        made += map(bytes, codec.encode(frame))
    return [*made, *map(bytes, codec.encode(None))]

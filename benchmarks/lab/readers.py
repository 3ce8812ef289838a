"""``mer-bench readers``: an hour of events at twenty times its speed, to one who reads and five who never do."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import aiohttp
import psutil

from mer_live.benchmarks.result import Figure, Result, Times
from mer_live.engines.bundle import load_bundle
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.sinks.socket import SocketSink
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.types import Event

_CLIP_NS = 10_000_000_000
_SILENT, _AGAIN_S = 5, 20
_WINDOW_BYTES = 2048
_PATIENCE_S = 30.0
_KEY = "AAAAAAAAAAAAAAAAAAAAAA=="


def run(seconds: float = 3600.0, speed: float = 20.0) -> Result:
    """The demo clip's events, over and over, handed to the web socket as they would come of ``seconds`` of footage.

    Args:
        seconds: of footage.
        speed: how much faster than it they come.
    """
    of_clip = _events_of_clip()
    events = [
        replace(event, id=event.id + 1000 * turn, decided=replace(event.decided, t_ns=at_ns))
        for turn in range(-(-round(seconds * 1e9) // _CLIP_NS))
        for event in of_clip
        if (at_ns := event.decided.t_ns + turn * _CLIP_NS) < seconds * 1e9
    ]
    sink = SocketSink("ws://127.0.0.1:0")
    try:
        seen = asyncio.run(_served(sink, events, speed))
    finally:
        sink.close()
    rss_mb: list[float] = seen["rss_mb"]
    quarter = rss_mb[len(rss_mb) // 4]
    handed = Times.of("one line handed over", seen["handed_ns"])
    result = Result("readers", {"footage_s": seconds, "speed": speed, "never_read": _SILENT})
    result.figures = [
        Figure(
            "lines that the program that reads missed", len(events) - seen["heard"], "", len(events), target=0
        ),
        Figure("programs that never read", seen["idle"]),
        Figure("lines lost to them beyond what their connections hold", sink.lost, "", len(events)),
        Figure("a line handed over, p99", handed.p99, "ms", handed.n, note=f"at most {handed.max:.1f} ms"),
        Figure(
            "memory gained after a quarter of the time", round(rss_mb[-1] - quarter, 1), "MB", len(rss_mb)
        ),
    ]
    result.times, result.details = [handed], {"rss_mb": rss_mb}
    return result


class _EventKeeper:
    """A sink that keeps every revision."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def write(self, item: Event) -> None:
        self.events.append(item)

    def close(self) -> None:
        pass


def _events_of_clip() -> list[Event]:
    kept = _EventKeeper()
    with (
        Recognizer([load_bundle("mtm")], "auto") as recognizer,
        open_source(CameraConfig(source=str(demo_clip()))) as source,
        Pipeline(source, recognizer, [kept]) as pipeline,
    ):
        pipeline.join()
    return kept.events


async def _served(sink: SocketSink, events: Sequence[Event], speed: float) -> dict[str, Any]:
    """What the readers got of the events, which a thread of its own hands over at their times."""
    handed_ns: list[int] = []
    idle: list[socket.socket] = []
    rss_mb: list[float] = []
    process, begun_ns = psutil.Process(), time.monotonic_ns()

    def feed() -> None:
        for event in events:
            time.sleep(max(0.0, event.decided.t_ns / speed - (time.monotonic_ns() - begun_ns)) / 1e9)
            started = time.monotonic_ns()
            sink.write(event)
            handed_ns.append(time.monotonic_ns() - started)

    async with aiohttp.ClientSession() as client, client.ws_connect(f"ws://127.0.0.1:{sink.port}/") as served:
        feeding = threading.Thread(target=feed)
        feeding.start()
        heard, sampled_s = 0, 0.0
        while heard < len(events):
            if time.monotonic() - sampled_s > 1:
                sampled_s = time.monotonic()
                if len(rss_mb) % _AGAIN_S == 0:  # those that do not answer are shut out after half a minute
                    idle += [never_reads(sink.port) for _ in range(_SILENT)]
                rss_mb.append(process.memory_info().rss / 1e6)
            try:
                await served.receive_str(timeout=_PATIENCE_S)
            except (TypeError, TimeoutError):  # closed, or nothing more comes
                break
            heard += 1
        feeding.join()
    for one in idle:
        one.close()
    return {"heard": heard, "handed_ns": handed_ns, "rss_mb": rss_mb, "idle": len(idle)}


def never_reads(port: int) -> socket.socket:
    """Ask for the events, and take nothing of the answer."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WINDOW_BYTES)
    with suppress(OSError):  # it has just ended
        one.connect(("127.0.0.1", port))
        upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        asked = f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n{upgrade}Sec-WebSocket-Key: {_KEY}\r\n\r\n"
        one.sendall(asked.encode())
    return one

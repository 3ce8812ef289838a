"""Events for other programs of this machine: JSON lines over a web socket, to any number of readers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from mer_live.realtime.clock import StartTime
from mer_live.realtime.sinks.base import event_line, parse_address, start_line
from mer_live.realtime.types import Event, Marker

MOST_WAITING = 256
"""Lines that wait for one reader; its oldest give way."""
_START_S = 10.0


class _Reader:
    """One connection: what waits for it, and what it lost."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=MOST_WAITING)
        self.more = asyncio.Event()


class SocketSink:
    """Serves from a thread of its own; neither a slow reader nor one that never reads holds anybody up."""

    def __init__(self, address: str) -> None:
        """Listen. Raises OSError where the port is taken."""
        self._host, self._port = parse_address(address)
        self.lost = 0
        """Lines that readers were too slow for."""
        self._readers: set[_Reader] = set()
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._ready = threading.Event()
        self._error: OSError | None = None
        self.mark_by: Callable[[str, str], Marker | None] | None = None
        """Takes a text and where it came from: what POST /marker does."""
        self._start = ""
        """The line of the start, which every reader gets first."""
        self.port = self._port
        """The port that is listened on; another than asked for where that was 0."""
        self._thread = threading.Thread(target=self._run, name="mer-socket")
        self._thread.start()
        self._ready.wait(_START_S)
        if self._error is not None:
            self._thread.join()
            raise OSError(f"{address} cannot be listened on ({self._error.strerror}): choose another port")

    def write(self, item: Event) -> None:
        """Hand ``item`` to every reader; never waits."""
        self._hand_over(event_line(item))

    def started(self, start: StartTime) -> None:
        """Hand the start to every reader, those who come later included."""
        self._start = json.dumps(start_line(start))
        self._hand_over(start_line(start))

    def mark(self, marker: Marker) -> None:
        """Hand a marker to every reader; never waits."""
        self._hand_over(marker.to_json())

    def close(self) -> None:
        """End every connection and join the thread; a second call does nothing."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _hand_over(self, content: dict[str, Any]) -> None:
        line = json.dumps(content, allow_nan=False)
        with contextlib.suppress(RuntimeError):  # closed
            self._loop.call_soon_threadsafe(self._publish, line)

    def _publish(self, line: str) -> None:
        for reader in self._readers:
            self.lost += len(reader.lines) == MOST_WAITING
            reader.lines.append(line)
            reader.more.set()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=4096)
        app.router.add_get("/", self._answer)
        app.router.add_post("/marker", self._take_marker)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self._port)
            await site.start()
            self.port = int(runner.addresses[0][1])
        except OSError as error:
            self._error = error
        else:
            self._ready.set()
            await self._ended.wait()
        finally:
            await runner.cleanup()

    async def _take_marker(self, request: web.Request) -> web.Response:
        """POST /marker: the body's line is the text; the answer is the marker as readers get it."""
        _refuse_pages(request)
        try:
            text = (await request.read()).decode()
            marker = None if self.mark_by is None else self.mark_by(text, "http")
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        if marker is None:
            raise web.HTTPServiceUnavailable(text="no frame has been analysed yet\n")
        return web.json_response(marker.to_json())

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        _refuse_pages(request)
        socket = web.WebSocketResponse(heartbeat=20, max_msg_size=4096)
        await socket.prepare(request)
        reader = _Reader()
        if self._start:
            reader.lines.append(self._start)
            reader.more.set()
        self._readers.add(reader)
        sending = asyncio.ensure_future(self._send(reader, socket))
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            listening = asyncio.ensure_future(_until_closed(socket))
            await asyncio.wait((sending, ended, listening), return_when=asyncio.FIRST_COMPLETED)
            listening.cancel()
        finally:
            self._readers.discard(reader)
            sending.cancel()
            ended.cancel()
        return socket

    async def _send(self, reader: _Reader, socket: web.WebSocketResponse) -> None:
        while True:
            await reader.more.wait()
            reader.more.clear()
            while reader.lines:
                await socket.send_str(reader.lines.popleft())


def _refuse_pages(request: web.Request) -> None:
    if "Origin" in request.headers:  # a page of any site may call on this machine
        raise web.HTTPForbidden(text="for programs of this machine, not for web pages\n")


async def _until_closed(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type in (WSMsgType.CLOSE, WSMsgType.ERROR):
            return

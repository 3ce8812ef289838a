"""Serves the review page on this machine, without network: the session, its pictures, and a coder's steps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from importlib.resources import files
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from aiohttp import web

from mer_live.realtime.session.read import RecordedSession
from mer_live.realtime.session.review.agreement import agreement
from mer_live.realtime.session.review.coder import CoderFile, CodingError, codings
from mer_live.realtime.session.review.loop import event_loop
from mer_live.realtime.session.review.pictures import PictureIndex

_BINS = 2000
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "json": "application/json"}
_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Review:
    """What the page asks for; one session, one coder."""

    def __init__(self, session: RecordedSession, coder: str = "") -> None:
        self._session = session
        self._events = session.last_revisions
        self._coder = coder
        self._file = CoderFile(session.folder, coder, session.classes)
        # Two readers: whoever steps through frames does not wait for loops that are being made.
        self._frames, self._loops = PictureIndex(session), PictureIndex(session)
        self._frame_turn, self._loop_turn = asyncio.Lock(), asyncio.Lock()

    def app(self) -> web.Application:
        """The server's routes."""
        app = web.Application(middlewares=[_only_here], client_max_size=1 << 16)
        app.router.add_get("/", self._static)
        app.router.add_get("/{name:(?:review|draw)\\.(?:js|css)}", self._static)
        app.router.add_get("/static/{name:moves\\.js|words\\.js|en\\.json}", self._shared)
        app.router.add_get("/session", self._session_facts)
        app.router.add_get("/coding", self._coding)
        app.router.add_get("/frame/{row:\\d+}", self._frame)
        app.router.add_get("/loop/{id}", self._loop)
        app.router.add_post("/step", self._step)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, app: web.Application) -> None:
        self._frames.close()
        self._loops.close()

    async def _static(self, request: web.Request) -> web.Response:
        return _file("mer_live.realtime.session.review", request.match_info.get("name", "review.html"))

    async def _shared(self, request: web.Request) -> web.Response:
        """What the live page has too: one piece of code words a movement in both."""
        return _file("mer_live.realtime.web", request.match_info["name"])

    async def _session_facts(self, request: web.Request) -> web.Response:
        frames = self._session.frames
        zero = self._session.zero_ns
        level = np.where(frames.anchor > 0, frames.level, -1.0)
        edges = np.unique(np.linspace(0, len(level), min(_BINS, max(1, len(level))) + 1).astype(int))
        curve = [
            {"t": round((int(frames.t_ns[a]) - zero) / 1e9, 4), "level": round(float(level[a:b].max()), 2)}
            for a, b in pairwise(edges)
        ]
        return web.json_response(
            {
                "folder": self._session.folder.name,
                "start": self._session.info["start"],
                "source": self._session.info["source"]["description"],
                "classes": self._session.classes,
                "index": frames.index.tolist(),
                "t_s": np.round((frames.t_ns - zero) / 1e9, 5).tolist(),
                "curve": curve,
                "machine": self._events,
                "markers": self._session.markers,
                "speaking": self._session.speaking,
            }
        )

    def _decided(self) -> dict[str, Any]:
        coded = self._file.decided(self._events)
        accepted = [one for one in coded if one["verdict"] == "accepted"]
        others = {
            name or "coder": agreement(accepted, [one for one in theirs if one["verdict"] == "accepted"])
            for name, theirs in codings(self._session.folder, self._events).items()
            if name != self._coder
        }
        return {"events": coded, "machine": agreement(self._events, accepted), "coders": others}

    async def _coding(self, request: web.Request) -> web.Response:
        return web.json_response(self._decided())

    async def _step(self, request: web.Request) -> web.Response:
        try:
            self._file.add(await request.json())
        except (CodingError, json.JSONDecodeError, AttributeError) as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        except OSError as error:
            raise web.HTTPInsufficientStorage(text=f"not saved: {error}\n") from error
        return web.json_response(self._decided())

    async def _frame(self, request: web.Request) -> web.Response:
        row = int(request.match_info["row"])
        if row >= len(self._session.frames.index) or self._session.frames.picture[row] < 0:
            raise web.HTTPNotFound(text="this frame was not recorded\n")

        def read() -> bytes | None:
            for _, image in self._frames.read_rows([row]):
                return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
            return None

        async with self._frame_turn:
            body = await asyncio.to_thread(read)
        if body is None:
            raise web.HTTPNotFound(text="this frame is not whole\n")
        return web.Response(body=body, content_type="image/jpeg")

    async def _loop(self, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        event = next((one for one in self._file.decided(self._events) if one["id"] == wanted), None)
        if event is None:
            raise web.HTTPNotFound(text="there is no such event\n")
        try:
            gain = min(20.0, max(1.0, float(request.query.get("gain", "10"))))
        except ValueError as error:
            raise web.HTTPBadRequest(text="gain is a number from 1 to 20\n") from error
        async with self._loop_turn:
            found = await asyncio.to_thread(event_loop, self._session, self._loops, event, gain)
        return web.json_response(found)


def _file(package: str, name: str) -> web.Response:
    body = (files(package) / "static" / name).read_bytes()
    return web.Response(body=body, content_type=_TYPES[name.rsplit(".", 1)[1]], charset="utf-8")


@web.middleware
async def _only_here(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    """Names that a strange page could have made point here are refused, and so are its posts."""
    host = request.host.rsplit(":", 1)[0]
    origin = request.headers.get("Origin")
    if host not in _LOCAL or (origin is not None and origin != f"http://{request.host}"):
        raise web.HTTPForbidden(text="for this machine alone\n")
    response: web.StreamResponse = await handler(request)
    response.headers.update(_HEADERS)
    return response


async def serve(session: RecordedSession, coder: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until cancelled; ``ready`` is told the address. Raises OSError, CodingError."""
    runner = web.AppRunner(Review(session, coder).app(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        ready(f"http://127.0.0.1:{runner.addresses[0][1]}/")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()

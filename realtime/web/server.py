"""The HTTP side of ``mer-web``: the page, offers, health and metrics."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.door import bind, listen, quiet
from mer_live.realtime.web.guard import add_headers, known_origin, knows_token, make_guard, refusal
from mer_live.realtime.web.media.sdp import OfferError
from mer_live.realtime.web.metrics import Metrics
from mer_live.realtime.web.page import Page, language
from mer_live.realtime.web.visit.connection import Connection
from mer_live.realtime.web.visit.messages import parse_offer
from mer_live.realtime.web.visit.own_camera import OwnCamera
from mer_live.realtime.web.visit.server_camera import ServerCamera
from mer_live.realtime.web.visit.sessions import Sessions
from mer_live.realtime.web.visit.viewer import Viewer

_ANSWER_S = 10.0


@dataclass(slots=True)
class Site:
    """What the handlers share; lives in the event loop."""

    config: WebConfig
    recognizer: Recognizer
    camera: ServerCamera | None = None
    metrics: Metrics = field(default_factory=Metrics)
    sessions: Sessions = field(init=False)

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.config, self.metrics)

    @property
    def mode(self) -> str:
        """'own': the page sends its camera; 'server': it watches ours."""
        return "own" if self.camera is None else "server"

    def make_connection(self) -> Connection:
        """A session of this server's kind."""
        if self.camera is None:
            return OwnCamera(self.config, self.metrics, self.recognizer)
        return Viewer(self.config, self.metrics, self.camera)

    async def offer(self, request: web.Request) -> web.Response:
        """POST /offer: ``{"sdp", "video": {"width", "height"}}`` -> ``{"sdp", "session"}``."""
        if not known_origin(request, self.config):
            return self._refuse(403, "origin", "Offers are taken from this server's own page only.")
        if not knows_token(request, self.config):
            return self._refuse(401, "token", "This server asks for a token, and this is not it.")
        try:
            body = await asyncio.wait_for(request.read(), self.config.read_s)
            offer = parse_offer(body, self.config.sdp_bytes)
        except web.HTTPRequestEntityTooLarge:
            return self._refuse(413, "size", "The offer is too large.")
        except OfferError as error:
            return self._refuse(400, "offer", f"{error}.")
        address = request.remote or ""
        if (taken := self.sessions.reserve(address)) is not None:
            return self._refuse(503, *taken)
        connection = self.make_connection()
        try:
            answer = await asyncio.wait_for(connection.answer(offer, address), _ANSWER_S)
        except BaseException as error:  # also when the server is told to end meanwhile
            self.sessions.give_back(address)
            connection.end("offer")
            await connection.close()
            if isinstance(error, OfferError | TimeoutError):
                return self._refuse(400, "offer", f"{error or 'the offer took too long'}.")
            raise
        self.sessions.open(connection, address)
        return web.json_response({"type": "answer", "sdp": answer, "session": connection.id})

    async def about(self, request: web.Request) -> web.Response:
        """GET /about: what the page must know before it asks for the camera."""
        return web.json_response(
            {
                "mode": self.mode,
                "token": self.config.token is not None,
                "record": self.config.record is not None,
            }
        )

    async def health(self, request: web.Request) -> web.Response:
        """GET /healthz: whether the server can do its work, and nothing else, for anybody may ask."""
        trouble = self.camera is not None and bool(self.camera.trouble)
        return web.json_response({"status": "trouble" if trouble else "ok"}, status=503 if trouble else 200)

    async def figures(self, request: web.Request) -> web.Response:
        """GET /metrics, in Prometheus' text format."""
        if not knows_token(request, self.config):
            return refusal(401, "token", "This server asks for a token.")
        text = self.metrics.render(self.sessions.figures(), self.config.sessions)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _refuse(self, status: int, reason: str, words: str) -> web.Response:
        self.metrics.count_refusal(reason)
        retry = {"Retry-After": "5"} if status == 503 else {}
        return refusal(status, reason, words, **retry)


def make_app(site: Site) -> web.Application:
    """The application; its sessions end with it."""
    app = web.Application(middlewares=[make_guard(site.config)], client_max_size=2 * site.config.sdp_bytes)
    app.router.add_post("/offer", site.offer)
    app.router.add_get("/about", site.about)
    app.router.add_get("/healthz", site.health)
    app.router.add_get("/metrics", site.figures)
    page = Page()

    async def index(request: web.Request) -> web.Response:
        best = language(request.query.get("lang"), request.headers.get("Accept-Language", ""))
        headers = {"Content-Language": best, "Vary": "Accept-Language"}
        return web.Response(body=page.index[best], content_type="text/html", charset="utf-8", headers=headers)

    async def file(request: web.Request) -> web.Response:
        if request.path not in page.files:
            raise web.HTTPNotFound
        body, kind = page.files[request.path]
        return web.Response(body=body, content_type=kind, charset="utf-8")

    app.router.add_get("/", index)
    app.router.add_get("/static/{name:.+}", file)

    async def end(app: web.Application) -> None:
        await site.sessions.close()

    app.on_shutdown.append(end)
    app.on_response_prepare.append(add_headers)
    return app


async def serve(
    config: WebConfig,
    recognizer: Recognizer,
    camera: tuple[CameraConfig, FrameSource] | None,
    stop: asyncio.Event,
    ready: Callable[[int], None] | None = None,
    sockets: Sequence[socket.socket] = (),
    shown: Callable[[ServerCamera], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Serve until ``stop`` on ``sockets`` (of ``bind``); ``ready`` is told the port once it is open.

    With ``shown`` the page shows what that follows, such as a pipeline that runs here anyway.

    Raises OSError when there are no sockets and the address cannot be had.
    """
    asyncio.get_running_loop().set_exception_handler(quiet)
    site = Site(config, recognizer)
    filming: asyncio.Task[None] | None = None
    if shown is not None:
        site.camera = ServerCamera(config, CameraConfig(), recognizer, site.metrics)
        filming = asyncio.create_task(shown(site.camera))
    elif camera is not None:
        site.camera = ServerCamera(config, camera[0], recognizer, site.metrics)
        filming = asyncio.create_task(site.camera.run(camera[1]))
    if filming is not None:
        filming.add_done_callback(lambda task: None if task.cancelled() else stop.set())
    runner = web.AppRunner(make_app(site), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    listeners: list[asyncio.Server] = []
    try:
        assert runner.server is not None
        listeners = await listen(runner.server, list(sockets) or bind(config), config)
        if ready is not None:
            ready(int(listeners[0].sockets[0].getsockname()[1]))
        await stop.wait()
    finally:
        for listener in listeners:
            listener.close()
        await runner.cleanup()
        if filming is not None:
            filming.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await filming

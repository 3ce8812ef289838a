"""The way in: sockets, TLS, and connections that are few, short while they say nothing, and never noisy."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from OpenSSL import SSL

from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.guard import HEADERS, refusal

_log = logging.getLogger(__name__)


class Door(web.RequestHandler):
    """One connection: what cannot be read as HTTP gets a 4xx of one line, and one escaped line in the log."""

    __slots__ = ()

    @property
    def address(self) -> str:
        """Whose connection it is; empty once it is closed."""
        return str(self.peername[0]) if isinstance(self.peername, tuple) else ""

    @property
    def answers(self) -> bool:
        """Whether a whole request has arrived and is being answered."""
        request = self._current_request
        return request is not None and request.content.is_eof()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that no handler has seen."""
        _log.info("a request of %s was no HTTP: %.200a", request.remote, str(exc))
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        response = refusal(status, "http", "This is not a request that can be read.", **HEADERS)
        response.force_close()
        return response

    def log_exception(self, *args: object, **kw: object) -> None:
        """A connection that broke while it was read: nothing of ours has failed."""
        _log.debug(*args, **kw)  # type: ignore[arg-type]


def quiet(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What failed in a task of a library's that nobody awaits: one line (`loop.set_exception_handler`).

    That a visitor's connection was closed while something was being sent is no failure at all.
    """
    error = context.get("exception")
    level = logging.DEBUG if isinstance(error, SSL.Error | ConnectionError) else logging.WARNING
    _log.log(level, "%s: %.200a", context["message"], error)


def bind(config: WebConfig) -> list[socket.socket]:
    """Sockets on all addresses of ``config.host``, not yet listening. Raises OSError, one sentence."""
    made: list[socket.socket] = []
    port = config.port
    try:
        for family, kind, proto, _, address in socket.getaddrinfo(
            config.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            made.append(one := socket.socket(family, kind, proto))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((address[0], port, *address[2:]))
            port = one.getsockname()[1]
    except OSError as error:
        for one in made:
            one.close()
        why = (error.strerror or str(error)).lower()
        raise OSError(
            f"{config.host} port {port} cannot be listened on ({why}): choose another --host or --port."
        ) from error
    return made


def load_tls(config: WebConfig) -> ssl.SSLContext | None:
    """TLS as configured, None without it. Raises ValueError: one sentence that names the file."""
    cert, key = config.cert, config.key
    if cert is None or key is None:
        return None
    _check_pem(cert, "--cert", "CERTIFICATE-----")
    _check_pem(key, "--key", "PRIVATE KEY-----")

    def refuse() -> str:
        raise ValueError(
            f"The key {str(key)!r} is encrypted: decrypt it first, with openssl pkey -in KEY -out PLAIN."
        )

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key, password=refuse)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError(
                f"The key {str(key)!r} does not belong to the certificate {str(cert)!r}: give the pair that "
                "was made together."
            ) from error
        raise ValueError(
            f"The certificate {str(cert)!r} or the key {str(key)!r} is damaged: make or fetch them again."
        ) from error
    return context


def _check_pem(path: Path, option: str, mark: str) -> None:
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise ValueError(f"{option} {str(path)!r} cannot be read as PEM ({why}): check the file.") from error
    if mark not in text:
        what = "certificate" if option == "--cert" else "private key"
        raise ValueError(f"{option} {str(path)!r} holds no {what} in PEM format: check the file.")


def _first_to_go(doors: Sequence[Door]) -> list[Door]:
    """In the order in which they make room: whose address has most, who has asked nothing yet, the oldest.

    A crowd of sockets that say nothing pushes nobody out who waits for an answer.
    """
    held = Counter(door.address for door in doors)
    return sorted(
        doors, key=lambda door: (-held[door.address], door.answers)
    )  # stable, and given the oldest first


async def listen(server: web.Server, sockets: list[socket.socket], config: WebConfig) -> list[asyncio.Server]:
    """Take connections for ``server``; beyond ``config.connections`` one makes room (`_first_to_go`)."""
    loop = asyncio.get_running_loop()

    def enter() -> Door:
        now = [door for door in server.connections if isinstance(door, Door)]
        for door in _first_to_go(now)[: max(0, len(now) - config.connections + 1)]:
            door.force_close()
        return Door(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # as AppRunner does
            keepalive_timeout=config.read_s,  # counts from the first moment, so it also ends slow headers
            lingering_time=config.read_s,
            max_line_size=config.header_bytes,
            max_field_size=config.header_bytes,
            max_headers=64,
            auto_decompress=False,
        )

    tls = load_tls(config)
    handshake_s = None if tls is None else config.read_s
    return [
        await loop.create_server(enter, sock=each, ssl=tls, ssl_handshake_timeout=handshake_s)
        for each in sockets
    ]

"""Who may talk to the server: host names, origins, the token; and the headers that every answer carries."""

from __future__ import annotations

import hmac
import logging
import socket
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from mer_live.realtime.web.config import WebConfig

_log = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def refusal(status: int, error: str, words: str, **headers: str) -> web.Response:
    """A JSON answer that the page can put into words."""
    return web.json_response({"error": error, "message": words}, status=status, headers=headers)


def known_host(host: str, config: WebConfig) -> bool:
    """Whether a Host header names this server.

    A stranger's name that was made to resolve to this machine (DNS rebinding) does not; bare addresses
    cannot be rebound.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # half a bracket
        return False
    if name in ("localhost", config.host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()):
        return True
    if any(urlsplit(origin).netloc == host for origin in config.origins):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def known_origin(origin: str | None, host: str, config: WebConfig) -> bool:
    """Whether a request comes from our own page, or from an origin that was allowed."""
    return origin is not None and (origin == f"{config.scheme}://{host}" or origin in config.origins)


def knows_token(request: web.Request, config: WebConfig) -> bool:
    """Whether the request carries the token, where one is asked for."""
    if config.token is None:
        return True
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(given.encode(), config.token.encode())


def make_guard(config: WebConfig) -> Middleware:
    """The middleware around every handler."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not known_host(request.host, config):
            response: web.StreamResponse = refusal(
                403, "host", "This server does not answer to that name; add it with --origin."
            )
        else:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = refusal(error.status, "http", error.reason)
            except Exception:
                _log.exception("%s %s failed", request.method, request.path)
                response = refusal(500, "server", "The server failed on this request.")
        response.headers.update(HEADERS)
        return response

    return guard

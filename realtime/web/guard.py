"""Who may talk to the server: host names, origins, the token; and the headers that every answer carries."""

from __future__ import annotations

import hmac
import logging
import socket
from ipaddress import ip_address
from urllib.parse import unquote_to_bytes, urlsplit

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
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), screen-wake-lock=(self)",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def refusal(status: int, error: str, words: str, **headers: str) -> web.Response:
    """A JSON answer of one line that the page can put into words."""
    return web.json_response({"error": error, "message": words}, status=status, headers=headers)


def own_names(config: WebConfig) -> frozenset[str]:
    """The host names that this server answers to, settled once: no request makes anybody look a name up."""
    return frozenset(name.lower() for name in ("localhost", config.host, socket.gethostname()))


def known_host(host: str, names: frozenset[str], config: WebConfig) -> bool:
    """Whether a Host header names this server.

    A stranger's name that was made to resolve to this machine (DNS rebinding) does not; bare addresses
    cannot be rebound.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # half a bracket
        return False
    if name in names or any(urlsplit(origin).netloc == host for origin in config.origins):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def known_origin(request: web.Request, config: WebConfig) -> bool:
    """Whether a request comes from our own page, or from an origin that was allowed."""
    origin = request.headers.get("Origin")
    own = f"{config.scheme}://{request.headers.get('Host', '')}"
    return origin is not None and (origin == own or origin in config.origins)


def knows_token(request: web.Request, config: WebConfig) -> bool:
    """Whether the request carries the token, where one is asked for.

    It may come as it is, or percent-encoded: a browser puts nothing but Latin-1 into a header.
    """
    if config.token is None:
        return True
    wanted = config.token.encode("utf-8", "surrogateescape")
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    plain = given.encode("utf-8", "surrogateescape")
    # Both are compared, always: the time taken tells nothing.
    return hmac.compare_digest(plain, wanted) | hmac.compare_digest(unquote_to_bytes(plain), wanted)


def make_guard(config: WebConfig) -> Middleware:
    """The middleware around every handler."""
    names = own_names(config)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        # Not request.host: without the header that asks the resolver for this machine's name.
        if not known_host(request.headers.get("Host", ""), names, config):
            return refusal(403, "host", "This server does not answer to that name; add it with --origin.")
        try:
            return await handler(request)
        except web.HTTPException as error:
            return refusal(error.status, "http", error.reason)
        except (web.RequestPayloadError, ConnectionError, TimeoutError):
            return refusal(400, "http", "The request came in pieces that do not fit.")
        except Exception:
            # As it was sent, %0a and all: what a stranger writes must not look like a line of ours.
            _log.exception("%a %a failed", request.method, request.raw_path)
            return refusal(500, "server", "The server failed on this request.")

    return guard


async def add_headers(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """A signal for every answer that is about to be sent, those of the framework too."""
    response.headers.update(HEADERS)

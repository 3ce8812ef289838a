"""Who is connected: at most so many, each watched, all of them ended with the server."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
from collections import Counter

from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.media.track import now_ns
from mer_live.realtime.web.metrics import Metrics, SessionFigures
from mer_live.realtime.web.visit.connection import Connection

_log = logging.getLogger(__name__)
_WATCH_S = 1.0

WORDS = {
    "connect": "The connection could not be made.",
    "lost": "The connection was lost.",
    "idle": "The session ended because nothing was analysed for a while.",
    "limit": "The session ended after the longest time that this server allows.",
    "flood": "The page sent too much at once.",
    "shutdown": "The server is shutting down.",
}


class Sessions:
    """The open sessions; a place is taken before any work is done and given back after all is freed."""

    def __init__(self, config: WebConfig, metrics: Metrics) -> None:
        self._config = config
        self._metrics = metrics
        self._connections: dict[str, Connection] = {}
        self._addresses: dict[str, str] = {}
        """Address of each connection, by id."""
        self._reserved: Counter[str] = Counter()
        """Offers that are being answered, by address."""
        self._watches: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._connections) + self._reserved.total()

    def reserve(self, address: str) -> tuple[str, str] | None:
        """Take a place for an offer that is about to be answered; or why there is none, in a word and in words.

        Connections that are still being made are few for one address: offers that never connect must not hold
        all places.
        """
        if len(self) >= self._config.sessions:
            return "busy", f"All {self._config.sessions} places are taken; try again in a while."
        half_open = self._reserved[address] + sum(
            self._addresses[name] == address
            for name, connection in self._connections.items()
            if not connection.lifetime.connected
        )
        if half_open >= self._config.half_open:
            return "wait", "Another connection from here is still being made; try again in a moment."
        self._reserved[address] += 1
        return None

    def give_back(self, address: str) -> None:
        """Free a reserved place: its offer was refused."""
        self._reserved -= Counter({address: 1})

    def open(self, connection: Connection, address: str) -> None:
        """Put ``connection`` into a reserved place and watch it to its end."""
        self.give_back(address)
        self._connections[connection.id] = connection
        self._addresses[connection.id] = address
        self._metrics.sessions_opened.inc()
        task = asyncio.get_running_loop().create_task(self._watch(connection))
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)

    def figures(self) -> list[SessionFigures]:
        """What /metrics tells of every session."""
        return [connection.figures() for connection in self._connections.values()]

    async def close(self) -> None:
        """End all sessions and wait until everything is free."""
        for connection in self._connections.values():
            connection.end("shutdown", WORDS["shutdown"])
        if self._watches:
            await asyncio.wait(self._watches)

    async def _watch(self, connection: Connection) -> None:
        while connection.reason is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(connection.ended.wait(), _WATCH_S)
            if (why := connection.lifetime.verdict(now_ns())) is not None:
                connection.end(why, WORDS[why])
            if connection.overfed:
                connection.end("flood", WORDS["flood"])
        _log.info("session %s ends: %s", connection.id, connection.reason)
        try:
            await connection.close()
            if len(self._connections) == 1:  # nobody is left to be held up by it
                await asyncio.to_thread(give_memory_back)
        except Exception:
            _log.exception("session %s did not end cleanly", connection.id)
        finally:
            del self._connections[connection.id], self._addresses[connection.id]
            self._metrics.count_end(connection.reason or "")


def give_memory_back() -> None:
    """Hand what the allocator keeps of freed memory to the system, or sessions that come and go seem to leak.

    Each one's pictures and models leave holes: 460 MB become 540 after 240 sessions, and 335 by this call.
    glibc alone has it; elsewhere nothing happens.
    """
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

"""Who is connected: at most so many, each watched, all of them ended with the server."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging

from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.media.track import now_ns
from mer_live.realtime.web.metrics import Metrics, SessionFigures
from mer_live.realtime.web.visit.peer import Peer

_log = logging.getLogger(__name__)
_WATCH_S = 1.0

WORDS = {
    "connect": "The connection could not be made.",
    "lost": "The connection was lost.",
    "idle": "The session ended because nothing was analysed for a while.",
    "limit": "The session ended after the longest time that this server allows.",
    "shutdown": "The server is shutting down.",
}


class Sessions:
    """The open sessions; a place is taken before any work is done and given back after all is freed."""

    def __init__(self, config: WebConfig, metrics: Metrics) -> None:
        self._config = config
        self._metrics = metrics
        self._peers: dict[str, Peer] = {}
        self._reserved = 0
        self._watches: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._peers) + self._reserved

    def reserve(self) -> bool:
        """Take a place for an offer that is about to be answered; False when there is none."""
        if len(self) >= self._config.sessions:
            return False
        self._reserved += 1
        return True

    def give_back(self) -> None:
        """Free a reserved place: its offer was refused."""
        self._reserved -= 1

    def open(self, peer: Peer) -> None:
        """Put ``peer`` into a reserved place and watch it to its end."""
        self._reserved -= 1
        self._peers[peer.id] = peer
        self._metrics.sessions_total += 1
        task = asyncio.get_running_loop().create_task(self._watch(peer))
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)

    def figures(self) -> list[SessionFigures]:
        """Of every session, for /metrics."""
        return [peer.figures() for peer in self._peers.values()]

    async def close(self) -> None:
        """End all sessions and wait until everything is free."""
        for peer in self._peers.values():
            peer.end("shutdown", WORDS["shutdown"])
        if self._watches:
            await asyncio.wait(self._watches)

    async def _watch(self, peer: Peer) -> None:
        while peer.reason is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(peer.ended.wait(), _WATCH_S)
            if (why := peer.lifetime.verdict(now_ns())) is not None:
                peer.end(why, WORDS[why])
        _log.info("session %s ends: %s", peer.id, peer.reason)
        try:
            await peer.close()
            if len(self._peers) == 1:  # nobody is left to be held up by it
                await asyncio.to_thread(give_memory_back)
        except Exception:
            _log.exception("session %s did not end cleanly", peer.id)
        finally:
            del self._peers[peer.id]
            self._metrics.count_end(peer.reason or "")


def give_memory_back() -> None:
    """Hand what the allocator keeps of freed memory to the system, or sessions that come and go seem to leak.

    Each one's pictures and models leave holes: 460 MB become 540 after 240 sessions, and 335 by this call.
    glibc alone has it; elsewhere nothing happens.
    """
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

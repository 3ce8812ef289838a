"""One visitor's connection: negotiation, data channel, signs of life, and an end that frees everything."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from abc import ABC, abstractmethod
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)

from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.media.sdp import OfferError, ask_for_bitrate, clean_offer
from mer_live.realtime.web.media.track import now_ns
from mer_live.realtime.web.metrics import Metrics, SessionFigures
from mer_live.realtime.web.visit.lifetime import Allowance, Lifetime
from mer_live.realtime.web.visit.messages import Mark, MessageError, Mute, Offer, Ping, Stop, encode, parse
from mer_live.realtime.web.visit.outbox import Outbox

_log = logging.getLogger(__name__)
_LAST_WORDS_S = 2.0
"""At most, for a page that is slow to take them; one lost packet is sent again after a second."""
_NO_WORDS = ("lost", "gone", "connect", "offer")
"""Ends after which nobody listens."""
_CHANNEL_S = 2.0
"""Pictures may arrive, and end a session, before its channel is open."""
_CLOSE_S = 5.0


class Connection(ABC):
    """What both kinds of session share; lives in the event loop.

    ``reason`` says why it has ended, or why it must: whoever sets it first wins, and the registry's watch
    then calls ``close``.
    """

    mode = ""
    sends_video = False
    """Whether the page sends its camera."""

    def __init__(self, config: WebConfig, metrics: Metrics) -> None:
        self.id = secrets.token_hex(8)
        self.config = config
        self.metrics = metrics
        self.lifetime = Lifetime(config, now_ns())
        self.reason: str | None = None
        self.words = ""
        self.box: Outbox | None = None
        # No STUN server: addresses of this machine only, and no packet to anybody but the visitor.
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._allowance = Allowance(config.messages_per_s)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._open = asyncio.Event()
        self.ended = asyncio.Event()
        """Set once as soon as there is a reason to close."""
        self.pc.on("datachannel", self._on_channel)
        self.pc.on("connectionstatechange", self._on_state)
        self.pc.on("iceconnectionstatechange", self._on_ice_state)

    @abstractmethod
    def figures(self) -> SessionFigures:
        """What /metrics tells of it."""

    @abstractmethod
    def hello(self) -> dict[str, Any]:
        """What the page is told when the channel opens, beside what all sessions have."""

    @abstractmethod
    async def prepare(self, offer: Offer) -> None:
        """Attach tracks, after the offer was set and before it is answered."""

    @abstractmethod
    async def free(self) -> None:
        """Free everything but the connection."""

    def joined(self, box: Outbox) -> None:  # noqa: B027  (not every kind has something to do)
        """The channel is open and ``hello`` was sent."""

    @property
    def overfed(self) -> bool:
        """Whether the page has sent more of unfinished messages than it was told there is room for."""
        return self.pc.sctp is not None and self.pc.sctp._advertised_rwnd < 0

    async def _told(self, box: Outbox) -> None:
        """Wait until the page has acknowledged all that was sent."""
        sctp = self.pc.sctp
        while box.waiting or sctp._data_channel_queue or sctp._outbound_queue or sctp._sent_queue:
            await asyncio.sleep(0.02)

    def mute(self, on: bool) -> None:  # noqa: B027
        """The page wants analysing to stop or to go on."""

    def mark(self, text: str) -> None:  # noqa: B027
        """The page marks this moment."""

    async def answer(self, offer: Offer, address: str) -> str:
        """The answer to an offer that came from ``address``. Raises OfferError, one sentence."""
        cleaned = clean_offer(offer.sdp, address, sends_video=self.sends_video)
        try:
            await self.pc.setRemoteDescription(RTCSessionDescription(cleaned, "offer"))
            await self.prepare(offer)
            await self.pc.setLocalDescription(await self.pc.createAnswer())
        except Exception as error:  # a parser of strangers' text may raise anything
            _log.debug("an offer could not be answered", exc_info=True)
            raise OfferError("the offer could not be answered") from error
        return ask_for_bitrate(self.pc.localDescription.sdp)

    def end(self, reason: str, words: str = "") -> None:
        """Ask for the end; returns at once, the first reason counts."""
        if self.reason is None:
            self.reason, self.words = reason, words
            self.ended.set()

    async def close(self) -> None:
        """Say goodbye, then free everything, however long it takes; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self.lifetime.reached and self.reason not in _NO_WORDS:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._open.wait(), _CHANNEL_S)
        if self.box is not None and self.reason not in _NO_WORDS:
            self.box.put_last(encode("bye", reason=self.reason, message=self.words))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told(self.box), _LAST_WORDS_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.box is not None:
            self.metrics.messages_dropped.inc(self.box.dropped + self.box.waiting)
        try:
            await self.free()
        finally:
            try:
                await asyncio.wait_for(self.pc.close(), _CLOSE_S)
            except Exception:  # of one that a stranger's offer left half made anything may fail
                _log.debug("a connection could not be closed in order", exc_info=True)

    def spawn(self, work: Any) -> None:
        """Run a coroutine until it ends, or the session does; its failure ends the session."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("session %s failed", self.id, exc_info=error)
            self.end("error", "The analysis failed on the server.")

    def _on_state(self) -> None:
        state = self.pc.connectionState
        if state == "connected":
            self.lifetime.heard_ns = now_ns()
        elif state in ("failed", "closed"):
            self.end("gone")

    def _on_ice_state(self) -> None:
        self.lifetime.reached |= self.pc.iceConnectionState in ("connected", "completed")

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if self.box is not None or channel.label != "mer":
            channel.close()
            return
        self.box = box = Outbox(channel, self.config.outbox_messages, self.config.outbox_bytes)
        channel.bufferedAmountLowThreshold = self.config.outbox_bytes // 2
        channel.on("bufferedamountlow", box.flush)
        channel.on("close", lambda: self.end("gone"))
        channel.on("message", self._on_message)
        self.lifetime.connected = True
        self.lifetime.heard_ns = now_ns()
        box.put(encode("hello", session=self.id, mode=self.mode, idle_s=self.config.idle_s,
                       total_s=self.config.total_s, state_hz=self.config.state_hz, **self.hello()))  # fmt: skip
        self.joined(box)
        self._open.set()

    def _on_message(self, data: str | bytes) -> None:
        now = now_ns()
        if not self._allowance.take(now):
            self.end("flood", "The page sent too many messages.")
            return
        try:
            message = parse(data, self.config.message_bytes)
        except MessageError as error:
            self.metrics.messages_refused.inc()
            _log.debug("message refused: %s", error)
            return
        self.lifetime.heard_ns = now
        match message:
            case Ping():
                if self.box is not None:
                    self.box.put(encode("pong", t=message.t, mono_ms=round(now / 1e6, 2)))
            case Mute():
                self.mute(message.on)
            case Mark():
                with contextlib.suppress(ValueError):  # no line of text
                    self.mark(message.text)
            case Stop():
                self.end("stop")

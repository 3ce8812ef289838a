"""Visitors who break off, flood, or send what nobody should take."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any

import numpy as np
import psutil
from aiortc import MediaStreamTrack
from av import Packet
from numpy.typing import NDArray
from support.web_client import ClipTrack, counted, emptied, serving

from mer_live.benchmarks.web.visitor import Visitor, post_offer
from mer_live.realtime.web.config import WebConfig


class Bomb(MediaStreamTrack):
    """A compressed picture of 12000x12000 that its sender never decoded either, twice a second."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._sent = 0

    async def recv(self) -> Packet:
        await asyncio.sleep(0.5)
        side = (12_000).to_bytes(2, "little")
        packet = Packet(b"\x10\x00\x00\x9d\x01\x2a" + side + side + bytes(3000))
        packet.pts, packet.time_base = self._sent * 45_000, Fraction(1, 90_000)
        self._sent += 1
        return packet


def test_a_connection_that_dies_without_a_word_is_freed(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving(WebConfig(silence_s=0.5)) as (site, http):
            track = ClipTrack(grey)
            page = Visitor(http, track)
            await page.offer()
            await page.until("hello")

            async def vanish(*_: Any) -> None:
                """No packet leaves any more; nobody says goodbye."""

            page.pc.sctp.transport.transport._send = vanish
            await emptied(site)
            assert counted(site, "mer_sessions_ended_total") == {"lost": 1}
            await page.close()

    asyncio.run(run())


def test_an_answered_offer_that_never_connects_gives_its_place_back(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving(WebConfig(connect_s=0.5)) as (site, http):
            page = Visitor(http, ClipTrack(grey))
            await page.pc.setLocalDescription(await page.pc.createOffer())
            status, _ = await post_offer(http, {"sdp": page.pc.localDescription.sdp})
            assert (status, len(site.sessions)) == (200, 1)
            await emptied(site)
            assert counted(site, "mer_sessions_ended_total") == {"connect": 1}
            await page.close()

    asyncio.run(run())


def test_a_huge_picture_ends_the_session_before_it_is_decoded() -> None:
    async def run() -> None:
        async with serving() as (site, http):
            before = psutil.Process().memory_info().rss
            page = Visitor(http, Bomb())
            assert (await page.offer())[0] == 200
            bye = await page.until("bye")
            assert bye["reason"] == "size"
            assert "12000x12000" in bye["message"]
            await emptied(site)
            assert psutil.Process().memory_info().rss - before < 50e6
            await page.close()

    asyncio.run(run())


def test_an_end_before_the_channel_is_open_is_told_all_the_same() -> None:
    async def run() -> None:
        async with serving() as (site, http):
            page = Visitor(http, Bomb())
            refused, send = asyncio.Event(), page.pc.sctp.transport._send_data

            async def later(data: bytes) -> None:
                await refused.wait()
                await send(data)

            page.pc.sctp.transport._send_data = later
            assert (await page.offer())[0] == 200
            (connection,) = site.sessions._connections.values()
            await asyncio.wait_for(connection.ended.wait(), 30)
            await asyncio.sleep(0.3)
            refused.set()
            assert (await page.until("bye"))["reason"] == "size"
            await emptied(site)
            await page.close()

    asyncio.run(run())


def test_why_it_has_ended_is_told_although_the_packet_is_lost(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving() as (site, http):
            page = Visitor(http, ClipTrack(grey))
            await page.offer()
            await page.until("hello")
            take, lost = page.pc.sctp._handle_data, []

            async def lose_once(data: bytes) -> None:
                if b'"bye"' in data and not lost:
                    lost.append(data)
                else:
                    await take(data)

            page.pc.sctp._handle_data = lose_once
            page.send(type="stop")
            assert (await page.until("bye"))["reason"] == "stop"
            assert lost
            await emptied(site)
            await page.close()

    asyncio.run(run())


def test_offers_that_never_connect_cannot_hold_all_places(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving() as (site, http):
            silent = Visitor(http, ClipTrack(grey))
            await silent.pc.setLocalDescription(await silent.pc.createOffer())
            offer = {"sdp": silent.pc.localDescription.sdp}
            answers = [await post_offer(http, offer) for _ in range(4)]
            assert [status for status, _ in answers] == [200, 200, 503, 503]
            assert answers[3][1]["error"] == "wait"
            assert site.sessions.reserve("192.0.2.7") is None  # somebody else is let in
            site.sessions.give_back("192.0.2.7")
            await silent.close()

    asyncio.run(run())


def test_a_message_without_an_end_is_cut_off(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving() as (site, http):
            page = Visitor(http, ClipTrack(grey))
            await page.offer()
            await page.until("hello")
            page.pc.sctp._remote_max_message_size = 0  # it was told, and does not care
            page.channel.send("x" * 8_000_000)
            await emptied(site)
            assert counted(site, "mer_sessions_ended_total") == {"flood": 1}
            await page.close()

    asyncio.run(run())


def test_the_fifth_is_told_that_the_server_is_busy(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving() as (site, http):
            pages = [Visitor(http, ClipTrack(grey)) for _ in range(5)]
            for page in pages[:4]:
                assert (await page.offer())[0] == 200
                await page.until("hello")
            status, answer = await pages[4].offer()
            assert (status, answer["error"]) == (503, "busy")
            pages[0].send(type="stop")
            async with asyncio.timeout(15):
                while len(site.sessions) == 4:
                    await asyncio.sleep(0.02)
            again = Visitor(http, ClipTrack(grey))
            assert (await again.offer())[0] == 200
            for page in (*pages, again):
                await page.close()

    asyncio.run(run())


def test_malformed_messages_are_refused_and_a_flood_is_cut_off(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving(WebConfig(messages_per_s=20)) as (site, http):
            page = Visitor(http, ClipTrack(grey))
            await page.offer()
            await page.until("hello")
            for data in ("{", "[]", '{"v":1,"type":"exec"}', "x" * 5000, b"\x00\xff"):
                page.channel.send(data)
            page.send(type="ping", t=41.5)
            assert (await page.until("pong"))["t"] == 41.5
            assert counted(site, "mer_messages_refused_total") == {"": 5}
            for _ in range(60):
                page.send(type="ping", t=1)
            await emptied(site)
            assert counted(site, "mer_sessions_ended_total") == {"flood": 1}
            await page.close()

    asyncio.run(run())


def test_offers_of_the_wrong_kind_get_no_session(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving() as (site, http):
            page = Visitor(http)  # wants to watch, but here is nothing to see
            status, answer = await page.offer()
            assert (status, answer["error"]) == (400, "offer")
            assert len(site.sessions) == 0
            assert (await post_offer(http, b"{}"))[0] == 400
            await page.close()

    asyncio.run(run())

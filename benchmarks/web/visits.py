"""What visitors do to mer-web, each a coroutine that ends: the well-behaved, the clumsy and the hostile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientSession

from mer_live.benchmarks.web.visitor import PlayedTrack, Visitor, encoded_demo, post_offer

_FPS = 15
_KEPT = 512
_PATIENCE_S = 60.0
_CONNECT_S = 14.0
_ATTEMPTS = 4
"""As our page: it gives a connection up that is not made within 14 s, and tries again."""


@dataclass(frozen=True, slots=True)
class Street:
    """What visitors bring along, and where they go."""

    http: ClientSession
    port: int
    face: Sequence[bytes]
    """VP8 pictures of 320x240 with a face."""
    larger: Sequence[bytes]
    """The same at 640x480."""
    chance: random.Random
    again: list[str] = field(default_factory=list)
    """Why a connection was not made and had to be tried again."""

    @classmethod
    def of(cls, http: ClientSession, port: int, seed: int) -> Street:
        """Encode what is sent, once."""
        face, larger = (encoded_demo(_FPS, size, 3.0) for size in ((320, 240), (640, 480)))
        return cls(http, port, face, larger, random.Random(seed))


@asynccontextmanager
async def visit(street: Street, pictures: Sequence[bytes], fps: float = _FPS) -> AsyncIterator[Visitor]:
    """A visitor who is in: connected, and told hello. Raises ConnectionRefusedError where there is no place."""
    visitor = await _enter(street, pictures, fps)
    try:
        yield visitor
    finally:
        await visitor.close()


async def _enter(street: Street, pictures: Sequence[bytes], fps: float, attempts: int = _ATTEMPTS) -> Visitor:
    visitor = Visitor(street.http, PlayedTrack(pictures, fps), kept=_KEPT)
    try:
        status, answer = await visitor.offer()
        if status != 200:
            raise ConnectionRefusedError(answer["error"])
        await visitor.until("hello", s=_CONNECT_S)
        return visitor
    except BaseException as error:
        await visitor.close()
        if attempts == 1 or not isinstance(error, TimeoutError | ConnectionResetError):
            raise
        street.again.append(repr(error))
    return await _enter(street, pictures, fps, attempts - 1)


async def stays(street: Street) -> None:
    """Is analysed for a while, then says stop."""
    async with visit(street, street.face) as visitor:
        await asyncio.sleep(20)
        visitor.send(type="stop")
        await visitor.until("bye", s=_PATIENCE_S)


async def leaves(street: Street) -> None:
    """Closes the page without a word of ours."""
    async with visit(street, street.face):
        await asyncio.sleep(5)


async def vanishes(street: Street) -> None:
    """Pulls the cable."""
    async with visit(street, street.face) as visitor:
        await asyncio.sleep(3)

        async def nothing(*_: object) -> None:
            """No packet leaves any more."""

        visitor.pc.sctp.transport.transport._send = nothing
        await asyncio.sleep(15)


async def pauses(street: Street) -> None:
    """Mutes and goes on, over and over."""
    async with visit(street, street.face) as visitor:
        for number in range(8):
            visitor.send(type="mute", on=number % 2 == 0)
            await asyncio.sleep(1)


async def resizes(street: Street) -> None:
    """Sends another size every few seconds, as a browser short of bandwidth does."""
    async with visit(street, [*street.face, *street.larger, *street.face]) as visitor:
        await asyncio.sleep(9)
        visitor.send(type="stop")
        await visitor.until("bye", s=_PATIENCE_S)


async def never_connects(street: Street) -> None:
    """Offers thrice and never takes the answer."""
    visitor = Visitor(street.http, PlayedTrack(street.face, _FPS), kept=_KEPT)
    await visitor.pc.setLocalDescription(await visitor.pc.createOffer())
    for _ in range(3):
        await post_offer(street.http, {"sdp": visitor.pc.localDescription.sdp})
    await visitor.close()


async def floods(street: Street) -> None:
    """Sends more messages than any page would."""
    async with visit(street, street.face) as visitor:
        for _ in range(300):
            visitor.send(type="ping", t=1.0)
        await visitor.closed.wait()


async def sends_without_end(street: Street) -> None:
    """One message of 8 MB, in spite of what it was told."""
    async with visit(street, street.face) as visitor:
        visitor.pc.sctp._remote_max_message_size = 0
        visitor.channel.send("x" * 8_000_000)
        await asyncio.sleep(5)


async def mumbles(street: Street) -> None:
    """What is no message, bytes among it."""
    async with visit(street, street.face) as visitor:
        for data in ("{", "[]", '{"v":true,"type":"stop"}', '{"v":1,"type":"exec"}', "9" * 400, b"\x00\xff"):
            visitor.channel.send(data)
            await asyncio.sleep(0.2)
        visitor.send(type="stop")
        await visitor.until("bye", s=_PATIENCE_S)


async def bombs(street: Street) -> None:
    """A key frame of 12000x12000."""
    side = (12_000).to_bytes(2, "little")
    picture = b"\x10\x00\x00\x9d\x01\x2a" + side + side + bytes(3000)
    async with visit(street, [picture], fps=2) as visitor:
        await visitor.until("bye", s=_PATIENCE_S)


async def breaks_pictures(street: Street) -> None:
    """Pictures with bytes turned over, some of them headless."""
    broken = []
    for picture in street.face:
        data = bytearray(picture)
        for _ in range(max(1, len(data) // 200)):
            data[street.chance.randrange(len(data))] ^= street.chance.randrange(1, 256)
        broken.append(bytes(data))
    with suppress(
        TimeoutError, ConnectionResetError
    ):  # a picture that says it is huge ends the session, and rightly
        async with visit(street, broken):
            await asyncio.sleep(8)


async def crowds(street: Street) -> None:
    """Seven where four have room; who must wait tries again, who finds no place leaves."""

    async def one() -> None:
        while True:
            try:
                async with visit(street, street.face):
                    await asyncio.sleep(10)
                return
            except ConnectionRefusedError as refusal:
                if str(refusal) != "wait":
                    return
                await asyncio.sleep(1)

    await asyncio.gather(*(one() for _ in range(7)))


async def knocks(street: Street) -> None:
    """Sockets that say nothing, half a request, or nonsense; and offers that are none."""
    half = b"POST /offer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
    sockets = []
    for number in range(90):
        _, writer = await asyncio.open_connection("127.0.0.1", street.port)
        sockets.append(writer)
        with suppress(ConnectionError):
            writer.write((b"", b"GET / HT", half, b"\x16\x03\x01" + street.chance.randbytes(40))[number % 4])
            await writer.drain()
    await asyncio.sleep(3)
    for writer in sockets:
        writer.close()
    for size in (0, 20, 500, 40_000, 100_000):
        with suppress(OSError, ClientError):  # who holds 90 sockets may be cut off
            await _thrown(street, street.chance.randbytes(size))


async def _thrown(street: Street, body: bytes) -> None:
    async with street.http.post("/offer", data=body) as response:
        await response.read()


VISITS: tuple[Callable[[Street], Awaitable[Any]], ...] = (
    stays,
    leaves,
    vanishes,
    pauses,
    resizes,
    never_connects,
    floods,
    sends_without_end,
    mumbles,
    bombs,
    breaks_pictures,
    crowds,
    knocks,
)

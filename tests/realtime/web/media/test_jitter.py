from __future__ import annotations

import asyncio

from aiortc import RTCPeerConnection
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket

from mer_live.realtime.web.media.jitter import _FIELD, PromptBuffer, hasten


def packet(number: int, time: int, data: bytes, *, last: bool = False) -> RtpPacket:
    made = RtpPacket(sequence_number=number % 65536, timestamp=time, marker=int(last))
    made._data = data
    return made


def fed(buffer: PromptBuffer, *packets: RtpPacket) -> list[tuple[int, bytes] | None]:
    frames: list[JitterFrame | None] = [buffer.add(p)[1] for p in packets]
    return [None if f is None else (f.timestamp, f.data) for f in frames]


def test_a_picture_goes_with_its_last_packet() -> None:
    got = fed(
        PromptBuffer(),
        packet(65534, 0, b"a"),
        packet(65535, 0, b"b", last=True),
        packet(0, 3000, b"c", last=True),
    )
    assert got == [None, (0, b"ab"), (3000, b"c")]


def test_a_missing_packet_is_waited_for_and_nothing_overtakes_it() -> None:
    got = fed(
        PromptBuffer(),
        packet(1, 0, b"a", last=True),
        packet(3, 3000, b"c", last=True),
        packet(4, 6000, b"d"),
        packet(2, 3000, b"b"),
        packet(5, 6000, b"e", last=True),
    )
    assert got == [(0, b"a"), None, None, (3000, b"bc"), (6000, b"de")]


def test_padding_between_pictures_is_no_picture() -> None:
    got = fed(
        PromptBuffer(),
        packet(1, 0, b"a", last=True),
        packet(2, 0, b""),
        packet(3, 0, b""),
        packet(4, 3000, b"b", last=True),
    )
    assert got == [(0, b"a"), None, None, (3000, b"b")]


def test_a_sender_without_markers_is_served_one_interval_later() -> None:
    got = fed(PromptBuffer(), packet(1, 0, b"a"), packet(2, 3000, b"b"), packet(3, 6000, b"c"))
    assert got == [None, (0, b"a"), (3000, b"b")]


def test_what_is_lost_for_good_is_given_up_and_a_whole_picture_asked_for() -> None:
    buffer = PromptBuffer()
    fed(buffer, packet(1, 0, b"a", last=True))
    asked, got = False, []
    for number in range(3, 600):  # number 2 never comes
        wants, frame = buffer.add(packet(number, number * 3000, b"x", last=True))
        asked |= wants
        got += [] if frame is None else [frame.timestamp]
    assert asked
    assert got
    assert got == sorted(got)


def test_this_aiortc_takes_the_buffer() -> None:
    async def run() -> None:
        pc = RTCPeerConnection()
        receiver = pc.addTransceiver("video", direction="recvonly").receiver
        assert hasten(receiver)
        assert isinstance(getattr(receiver, _FIELD), PromptBuffer)
        assert not hasten(object())
        await pc.close()

    asyncio.run(run())

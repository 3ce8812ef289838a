from __future__ import annotations

import asyncio

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.media.sdp import OfferError, ask_for_bitrate, clean_offer
from mer_live.realtime.web.visit.lifetime import Lifetime


def make_offer(direction: str = "sendonly", kinds: tuple[str, ...] = ("video",), channel: bool = True) -> str:
    async def make() -> str:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        for kind in kinds:
            pc.addTransceiver(kind, direction=direction)
        if channel:
            pc.createDataChannel("mer")
        await pc.setLocalDescription(await pc.createOffer())
        sdp: str = pc.localDescription.sdp
        await pc.close()
        return sdp

    return asyncio.run(make())


@pytest.fixture(scope="module")
def offer() -> str:
    return make_offer()


def test_only_our_kind_of_addresses_stay(offer: str) -> None:
    strangers = (
        "a=candidate:1 1 udp 2130706431 0a1b.local 40000 typ host",
        "a=candidate:2 1 udp 1694498815 203.0.113.5 40000 typ srflx raddr 0.0.0.0 rport 0",
        "a=candidate:3 1 udp 16777215 203.0.113.5 3478 typ relay raddr 0.0.0.0 rport 0",
        "a=candidate:4 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
        "a=candidate:5 1 udp 2130706431 224.0.0.251 5353 typ host",
    )
    mine = "a=candidate:6 1 udp 2130706431 192.0.2.7 40000 typ host"
    cleaned = clean_offer(offer + "\r\n".join((*strangers, mine)) + "\r\n", sends_video=True)
    assert mine in cleaned
    assert "end-of-candidates" not in cleaned
    for line in strangers:
        assert line not in cleaned


def test_vp8_is_what_is_left_to_decode(offer: str) -> None:
    cleaned = clean_offer(offer, sends_video=True)
    assert "H264" in offer
    assert "H264" not in cleaned
    assert " VP8/90000" in cleaned
    line = next(line for line in cleaned.splitlines() if line.startswith("m=video"))
    assert len(line.split()) == 3 + 2  # VP8 and its retransmissions


@pytest.mark.parametrize("sdp", ["", "v=0", "nonsense", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "v=0\0"])
def test_what_is_no_offer_is_refused(sdp: str) -> None:
    with pytest.raises(OfferError):
        clean_offer(sdp, sends_video=True)


def test_other_sections_and_directions_are_refused(offer: str) -> None:
    clean_offer(offer, sends_video=True)
    for other in (
        make_offer(kinds=("audio", "video")),
        make_offer(kinds=("video", "video")),
        make_offer(channel=False),
        make_offer("recvonly"),
    ):
        with pytest.raises(OfferError):
            clean_offer(other, sends_video=True)
    with pytest.raises(OfferError):
        clean_offer(offer, sends_video=False)
    many = "".join(f"a=candidate:{k} 1 udp 1 192.0.2.7 {k + 1} typ host\r\n" for k in range(41))
    with pytest.raises(OfferError, match="candidates"):
        clean_offer(offer + many, sends_video=True)


def test_the_answer_asks_for_bitrate_on_every_real_codec() -> None:
    answer = (
        "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n"
        "a=fmtp:97 apt=96\r\na=rtpmap:98 H264/90000\r\na=fmtp:98 packetization-mode=1\r\n"
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n"
    )
    lines = ask_for_bitrate(answer).splitlines()
    vp8 = next(line for line in lines if line.startswith("a=fmtp:96 "))
    assert "x-google-start-bitrate=4000" in vp8
    assert lines[lines.index(vp8) - 1] == "a=rtpmap:96 VP8/90000"
    assert "x-google-min-bitrate" in next(line for line in lines if line.startswith("a=fmtp:98 "))
    assert "a=fmtp:97 apt=96" in lines


def test_a_session_ends_for_one_of_four_reasons() -> None:
    life = Lifetime(WebConfig(connect_s=15, silence_s=6, idle_s=60, total_s=100), started_ns=0)
    s = 10**9
    assert life.verdict(15 * s) is None
    assert life.verdict(16 * s) == "connect"
    life.connected, life.heard_ns, life.used_ns = True, 10 * s, 10 * s
    assert life.verdict(16 * s) is None
    assert life.verdict(17 * s) == "lost"
    life.heard_ns = 80 * s
    assert life.verdict(80 * s) == "idle"
    life.heard_ns = life.used_ns = 101 * s
    assert life.verdict(101 * s) == "limit"

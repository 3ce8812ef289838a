from __future__ import annotations

import asyncio
import re

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from support.web_relay import ANY

from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.media.sdp import OfferError, ask_for_bitrate, clean_offer
from mer_live.realtime.web.visit.lifetime import Lifetime

ME = "192.0.2.7"


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


def test_only_the_visitors_own_addresses_stay(offer: str) -> None:
    strangers = (
        "a=candidate:1 1 udp 2130706431 0a1b.local 40000 typ host",
        "a=candidate:2 1 udp 1694498815 192.0.2.7 40000 typ srflx raddr 0.0.0.0 rport 0",
        "a=candidate:3 1 udp 16777215 203.0.113.5 3478 typ relay raddr 0.0.0.0 rport 0",
        "a=candidate:4 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
        "a=candidate:5 1 udp 2130706431 224.0.0.251 5353 typ host",
        "a=candidate:6 1 udp 2130706431 8.8.8.8 53 typ host",
        "a=candidate:7 1 udp 2130706431 169.254.169.254 80 typ host",
        "a=candidate:8 1 udp 2130706431 192.0.2.8 40000 typ host",
        "a=candidate:9 1 udp 2130706431 192.0.2.7 0 typ host",
        "a=candidate:10 1 udp 2130706431 192.0.2.7 70000 typ host",
    )
    mine = "a=candidate:11 1 udp 2130706431 192.0.2.7 40000 typ host"
    offer = ANY.sub("", offer)
    for address in ("192.0.2.7", "::ffff:192.0.2.7"):
        cleaned = clean_offer(offer + "\r\n".join((*strangers, mine)) + "\r\n", address, sends_video=True)
        assert [line for line in cleaned.splitlines() if "candidate" in line] == [mine]
    assert "candidate" not in clean_offer(offer + mine + "\r\n", "", sends_video=True)
    v6 = "a=candidate:1 1 udp 2130706431 fe80::1 40000 typ host"
    assert v6 in clean_offer(offer + v6 + "\r\n", "fe80::1%eth0", sends_video=True)


def test_an_offer_of_firefox_names_its_host_by_mdns(offer: str) -> None:
    name = "b9110e3f-3e25-461a-a7e6-2aba892f4f93.local"
    lines = re.sub(r"a=rtcp:9 IN IP4 0.0.0.0", f"a=rtcp:39302 IN IP4 {name}", offer)
    lines = lines.replace("c=IN IP4 0.0.0.0", f"c=IN IP4 {name}")
    assert name in lines
    cleaned = clean_offer(lines, ME, sends_video=True)
    assert name not in cleaned
    assert "a=rtcp-mux" in cleaned


def test_vp8_is_what_is_left_to_decode(offer: str) -> None:
    cleaned = clean_offer(offer, ME, sends_video=True)
    assert "H264" in offer
    assert "H264" not in cleaned
    assert " VP8/90000" in cleaned
    line = next(line for line in cleaned.splitlines() if line.startswith("m=video"))
    assert len(line.split()) == 3 + 2  # VP8 and its retransmissions
    with pytest.raises(OfferError, match=r"no VP8, .*: it has H264, VP9, rtx$"):
        clean_offer(offer.replace("VP8", "VP9"), ME, sends_video=True)
    for unknown in ("", "X" * 17, "\N{SNOWMAN}"):
        with pytest.raises(OfferError, match=r"it has no codec by name$"):
            clean_offer(re.sub("VP8|H264|rtx", unknown, offer), ME, sends_video=True)


@pytest.mark.parametrize("sdp", ["", "v=0", "nonsense", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "v=0\0"])
def test_what_is_no_offer_is_refused(sdp: str) -> None:
    with pytest.raises(OfferError):
        clean_offer(sdp, ME, sends_video=True)


def test_other_sections_and_directions_are_refused(offer: str) -> None:
    clean_offer(offer, ME, sends_video=True)
    for other in (
        make_offer(kinds=("audio", "video")),
        make_offer(kinds=("video", "video")),
        make_offer(channel=False),
        make_offer("recvonly"),
    ):
        with pytest.raises(OfferError):
            clean_offer(other, ME, sends_video=True)
    with pytest.raises(OfferError):
        clean_offer(offer, ME, sends_video=False)
    many = "".join(f"a=candidate:{k} 1 udp 1 192.0.2.7 {k + 1} typ host\r\n" for k in range(41))
    with pytest.raises(OfferError, match="candidates"):
        clean_offer(offer + many, ME, sends_video=True)


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 5 1"),  # the data section was left without a transport
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"),
        ("a=mid:1", "a=mid:0"),
    ],
)
def test_sections_that_share_no_transport_are_refused(offer: str, line: str, instead: str) -> None:
    assert line in offer
    with pytest.raises(OfferError, match="one transport"):
        clean_offer(offer.replace(line, instead), ME, sends_video=True)


def test_the_answer_asks_for_bitrate_on_every_real_codec(offer: str) -> None:
    lines = ask_for_bitrate(offer).splitlines()
    codecs = {m[1]: m[2] for line in lines if (m := re.match(r"a=rtpmap:(\d+) (\w+)/", line))}
    assert sorted(set(codecs.values())) == ["H264", "VP8", "rtx"]
    for number, name in codecs.items():
        line = next(line for line in lines if line.startswith(f"a=fmtp:{number} "))
        assert ("x-google-start-bitrate=4000;x-google-min-bitrate=2500" in line) is (name != "rtx")
        assert ("apt=" in line) is (name == "rtx")
        assert ("packetization-mode=1" in line) is (name == "H264")


def test_a_session_ends_for_one_of_four_reasons() -> None:
    config = WebConfig(reach_s=5, connect_s=15, silence_s=6, idle_s=60, total_s=100)
    life = Lifetime(config, started_ns=0)
    s = 10**9
    assert life.verdict(5 * s) is None
    assert life.verdict(6 * s) == "connect"  # nobody answered
    life.reached = True
    assert life.verdict(15 * s) is None
    assert life.verdict(16 * s) == "connect"
    life.connected, life.heard_ns, life.used_ns = True, 10 * s, 10 * s
    assert life.verdict(16 * s) is None
    assert life.verdict(17 * s) == "lost"
    life.heard_ns = 80 * s
    assert life.verdict(80 * s) == "idle"
    life.heard_ns = life.used_ns = 101 * s
    assert life.verdict(101 * s) == "limit"

"""Session descriptions: what an offer may hold, and the bitrates that an answer asks for."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from aiortc import RTCIceCandidate
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.sdp import MediaDescription, SessionDescription

_MOST_CANDIDATES = 40
START_KBPS, MIN_KBPS, MAX_KBPS = 4000, 2500, 12000
"""Asked of the sender; a browser's own start of 300 kbit/s blurs exactly the motion that is wanted."""
_NAME, _MOST_NAMES = re.compile(r"[A-Za-z][\w.-]{,15}", re.ASCII), 6
"""Of codecs that a refusal repeats: they are strangers' words."""
_HINTS = {
    "x-google-start-bitrate": str(START_KBPS),
    "x-google-min-bitrate": str(MIN_KBPS),
    "x-google-max-bitrate": str(MAX_KBPS),
}


class OfferError(ValueError):
    """An offer that cannot be answered; the message is one sentence."""


def clean_offer(sdp: str, address: str, *, sends_video: bool) -> str:
    """Check an offer and take from it what would make this machine send packets to strangers.

    Only the candidates of ``address`` stay. Its mDNS names, whose resolving is a multicast, go as well: the
    browser reaches us by our own candidates, and its address is then learned from its checks. For the same
    reason the end of the candidates is not passed on. Of the codecs VP8 stays: every browser has it (RFC 7742
    section 5), H.264 costs thrice, and one kind of key frame is to be looked into (`gate`).

    Args:
        sdp: as the page sent it.
        address: where the HTTP request came from.
        sends_video: the page must offer its camera; else it must be willing to receive.

    Raises:
        OfferError: anything but one video and one data section that share a transport, or no VP8.
    """
    if not sdp.startswith("v=0") or "\0" in sdp:
        raise OfferError("the offer is not a session description")
    try:
        offer = SessionDescription.parse(sdp)
    except Exception as error:  # a parser of strangers' text may raise anything
        raise OfferError("the offer is not a session description") from error
    if sorted(media.kind for media in offer.media) != ["application", "video"]:
        raise OfferError("the offer must hold one video and one data section and nothing else")
    video = next(media for media in offer.media if media.kind == "video")
    if video.direction not in ({"sendonly", "sendrecv"} if sends_video else {"recvonly", "sendrecv"}):
        raise OfferError("the offer's video does not go the way that this server needs")
    mids = sorted(media.rtp.muxId for media in offer.media)
    bundles = [sorted(map(str, group.items)) for group in offer.group if group.semantic == "BUNDLE"]
    if mids[0] == mids[1] or any(bundle != mids for bundle in bundles):
        raise OfferError("the offer's sections must have two names and share one transport")
    own = _plain(address)
    offer.host = None
    for media in offer.media:
        if len(media.ice_candidates) > _MOST_CANDIDATES:
            raise OfferError(f"the offer holds more than {_MOST_CANDIDATES} candidates")
        media.ice_candidates = [c for c in media.ice_candidates if _is_own(c, own)]
        media.ice_candidates_complete = False
        media.host = media.rtcp_host = None  # Firefox puts mDNS names here; nothing is ever sent there
    _keep_vp8(video)
    try:
        return str(offer)
    except Exception as error:  # what was parsed need not hold together
        raise OfferError("the offer is not a session description") from error


def ask_for_bitrate(answer: str) -> str:
    """The answer with Chromium's bitrate hints on every video codec that is not a retransmission."""
    description = SessionDescription.parse(answer)
    for media in description.media:
        for codec in media.rtp.codecs if media.kind == "video" else ():
            if not _is_rtx(codec):
                codec.parameters.update(_HINTS)
    return str(description)


def _keep_vp8(video: MediaDescription) -> None:
    wanted = {codec.payloadType for codec in video.rtp.codecs if codec.name.upper() == "VP8"}
    if not wanted:
        names = sorted({codec.name for codec in video.rtp.codecs if _NAME.fullmatch(codec.name)})
        told = ", ".join(names[:_MOST_NAMES]) or "no codec by name"
        raise OfferError(f"the offer has no VP8, which every browser can send: it has {told}")
    wanted |= {c.payloadType for c in video.rtp.codecs if _is_rtx(c) and c.parameters.get("apt") in wanted}
    video.rtp.codecs = [codec for codec in video.rtp.codecs if codec.payloadType in wanted]
    video.fmt = [number for number in video.fmt if number in wanted]


def _is_rtx(codec: RTCRtpCodecParameters) -> bool:
    return bool(codec.name.lower() == "rtx")


def _is_own(candidate: RTCIceCandidate, own: IPv4Address | IPv6Address | None) -> bool:
    udp_host = (candidate.protocol.lower(), candidate.type) == ("udp", "host")
    return udp_host and own is not None and _plain(candidate.ip) == own and 0 < candidate.port < 65_536


def _plain(address: str) -> IPv4Address | IPv6Address | None:
    """An address as it compares: an IPv4 one that came through an IPv6 socket is IPv4. None for a name."""
    try:
        parsed = ip_address(address.split("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed

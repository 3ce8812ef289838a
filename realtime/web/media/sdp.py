"""Session descriptions: what an offer may hold, and the bitrates that an answer asks for."""

from __future__ import annotations

import re
from ipaddress import ip_address

_MOST_CANDIDATES = 40
START_KBPS, MIN_KBPS, MAX_KBPS = 4000, 2500, 12000
"""Asked of the sender; a browser's own start of 300 kbit/s blurs exactly the motion that is wanted."""


class OfferError(ValueError):
    """An offer that cannot be answered; the message is one sentence."""


def clean_offer(sdp: str, *, sends_video: bool) -> str:
    """Check an offer and take from it what would make this machine send packets to strangers.

    Only UDP host candidates with a plain address stay: relays and mDNS names (whose resolving is a
    multicast) are dropped, the browser reaches us by our own candidates. For the same reason the end of the
    candidates is not passed on: the browser's address is learned from its checks.

    Args:
        sdp: as the page sent it.
        sends_video: the page must offer its camera; else it must be willing to receive.

    Raises:
        OfferError: anything but one video and one data section.
    """
    if not sdp.startswith("v=0") or "\0" in sdp:
        raise OfferError("the offer is not a session description")
    lines = sdp.splitlines()
    kinds = [line[2:].split(" ", 1)[0] for line in lines if line.startswith("m=")]
    if sorted(kinds) != ["application", "video"]:
        raise OfferError("the offer must hold one video and one data section and nothing else")
    video = _section(lines, "video")
    wanted = {"a=sendonly", "a=sendrecv"} if sends_video else {"a=recvonly", "a=sendrecv"}
    if not wanted & set(video):
        raise OfferError("the offer's video does not go the way that this server needs")
    kept = [line for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
    mine = [line for line in lines if line.startswith("a=candidate:") and _is_host(line)]
    if len(mine) > _MOST_CANDIDATES:
        raise OfferError(f"the offer holds more than {_MOST_CANDIDATES} candidates")
    kept = _only_vp8(kept)
    # Bundled sections share one transport: all candidates may stand in the first section.
    first = next((k for k, line in enumerate(kept) if line.startswith("a=mid:")), len(kept) - 1)
    kept[first + 1 : first + 1] = dict.fromkeys(mine)
    return "\r\n".join(kept) + "\r\n"


def ask_for_bitrate(answer: str) -> str:
    """The answer with Chromium's bitrate hints on every video codec that is not a retransmission."""
    hints = (
        f"x-google-start-bitrate={START_KBPS};x-google-min-bitrate={MIN_KBPS};x-google-max-bitrate={MAX_KBPS}"
    )
    lines = answer.splitlines()
    video = _section(lines, "video")
    codecs = [m[1] for line in video if (m := re.match(r"a=rtpmap:(\d+) (?!rtx/)", line))]
    made: list[str] = []
    hinted: set[str] = set()
    for line in lines:
        m = re.match(r"a=fmtp:(\d+) ", line)
        if m and m[1] in codecs:
            line = f"{line};{hints}"
            hinted.add(m[1])
        made.append(line)
    for codec in codecs:
        if codec not in hinted:
            place = next(k for k, line in enumerate(made) if line.startswith(f"a=rtpmap:{codec} "))
            made.insert(place + 1, f"a=fmtp:{codec} {hints}")
    return "\r\n".join(made) + "\r\n"


def _only_vp8(lines: list[str]) -> list[str]:
    """The offer without other video codecs, where VP8 is offered: every browser has it, H.264 costs thrice."""
    video = _section(lines, "video")
    names = {m[1]: m[2] for line in video if (m := re.match(r"a=rtpmap:(\d+) ([\w-]+)/", line))}
    wanted = {number for number, name in names.items() if name.upper() == "VP8"}
    if not wanted:
        return lines
    wanted |= {m[1] for line in video if (m := re.match(r"a=fmtp:(\d+) apt=(\d+)", line)) and m[2] in wanted}
    kept = []
    for line in lines:
        named = re.match(r"a=(?:rtpmap|fmtp|rtcp-fb):(\d+) ", line)
        if named and named[1] in names and named[1] not in wanted:
            continue
        if line.startswith("m=video"):
            fields = line.split()
            line = " ".join([*fields[:3], *(number for number in fields[3:] if number in wanted)])
        kept.append(line)
    return kept


def _section(lines: list[str], kind: str) -> list[str]:
    start = next((k for k, line in enumerate(lines) if line.startswith(f"m={kind}")), len(lines))
    end = next((k for k in range(start + 1, len(lines)) if lines[k].startswith("m=")), len(lines))
    return lines[start:end]


def _is_host(line: str) -> bool:
    fields = line.split()
    if len(fields) < 8 or fields[2].lower() != "udp" or fields[6:8] != ["typ", "host"]:
        return False
    try:
        address = ip_address(fields[4])
    except ValueError:
        return False
    return not (address.is_multicast or address.is_unspecified) and fields[5].isdecimal()

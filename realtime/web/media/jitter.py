"""A jitter buffer that lets a picture go with its own last packet."""

from __future__ import annotations

import logging

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer, JitterFrame

_log = logging.getLogger(__name__)
_CAPACITY = 512
"""Packets, as in aiortc; a power of two."""
_FIELD = "_RTCRtpReceiver__jitter_buffer"


class PromptBuffer(JitterBuffer):  # type: ignore[misc]  # aiortc is untyped here
    """aiortc's buffer holds a picture back until a packet of the next one comes: 33 ms at 30 fps.

    The last packet of a picture says that it is the last (RFC 3550 section 5.1, RFC 7741 section 4.1: the
    marker bit), so nothing has to be waited for. A sender that sets no marker is served as before.
    """

    def __init__(self) -> None:
        super().__init__(capacity=_CAPACITY, is_video=True)

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        while length := self._whole():
            packets = [self._packets[(self._origin + k) % self._capacity] for k in range(length)]
            self.remove(length)
            if data := b"".join(packet._data for packet in packets):  # else: padding between two pictures
                return JitterFrame(data=data, timestamp=packets[0].timestamp)
        return None

    def _whole(self) -> int:
        """Packets of the oldest picture; 0 while one of them is missing."""
        first = None
        for count in range(self._capacity):
            packet = self._packets[(self._origin + count) % self._capacity]
            if packet is None:
                return 0
            if first is not None and packet.timestamp != first.timestamp:
                return count
            if packet.marker:
                return count + 1
            first = first or packet
        return 0


def hasten(receiver: RTCRtpReceiver) -> bool:
    """Give ``receiver`` a PromptBuffer before its first packet; False where this aiortc has no such place."""
    if not isinstance(getattr(receiver, _FIELD, None), JitterBuffer):
        _log.warning("this aiortc keeps its jitter buffer elsewhere: pictures arrive one interval later")
        return False
    setattr(receiver, _FIELD, PromptBuffer())
    return True

"""A remote sender's frame times on our monotonic clock; pure, the times arrive with the data."""

from __future__ import annotations

from collections import deque

_SETTLE = 10
"""Frames that are only listened to: the first ones of a stream come late and in bursts."""
_WINDOW_NS = 10_000_000_000
_SLEW = 0.02
"""The offset moves by at most this share of the elapsed time, so intervals stay true within 2 %."""
_RESYNC_NS = 1_000_000_000
"""A disagreement beyond this is a new stream, not jitter."""


class SenderClock:
    """Maps presentation times of a stream to arrival times free of jitter.

    A frame's delay is its capture-to-arrival time plus a constant that nobody here knows. The least delay of
    the last 10 s stands for the path without queues, so a mapped time is the capture time plus that least
    delay (on one machine some 20 to 40 ms of encoding and decoding), and intervals are the sender's own.
    """

    def __init__(self) -> None:
        self.skipped = 0
        """Frames that came twice, or after a later one."""
        self.resyncs = 0
        """Times that the stream began anew."""
        self._offset_ns: int | None = None
        self._sent_ns: int | None = None
        self._settling = _SETTLE
        # (sender time, delta) of frames that may still become the least of the window; deltas increase.
        self._least: deque[tuple[int, int]] = deque()

    def add(self, sent_ns: int, arrived_ns: int) -> int | None:
        """Time of a frame on the monotonic clock, or None for one that must not be used.

        Args:
            sent_ns: presentation time on the sender's clock, ns from any zero.
            arrived_ns: monotonic clock when it was received.
        """
        last, delta = self._sent_ns, arrived_ns - sent_ns
        if self._offset_ns is None or last is None or self._is_new_stream(last, sent_ns, delta):
            self.resyncs += last is not None
            self._sent_ns, self._offset_ns = sent_ns, delta
            self._least.clear()
            self._least.append((sent_ns, delta))
            self._settling = _SETTLE - 1
            return None
        if sent_ns <= last:
            self.skipped += 1
            return None
        least = self._least
        while least and least[-1][1] >= delta:
            least.pop()
        least.append((sent_ns, delta))
        while least[0][0] < sent_ns - _WINDOW_NS:
            least.popleft()
        if self._settling:
            self._settling -= 1
            self._offset_ns = least[0][1]
        else:
            most = round((sent_ns - last) * _SLEW)
            self._offset_ns += max(-most, min(most, least[0][1] - self._offset_ns))
        self._sent_ns = sent_ns
        return None if self._settling else sent_ns + self._offset_ns

    def restart(self) -> None:
        """Take the next frame for the first of a new stream."""
        self._offset_ns = None

    def _is_new_stream(self, last_ns: int, sent_ns: int, delta: int) -> bool:
        """Whether the sender's zero has moved; a frame that is merely late arrives in order."""
        assert self._offset_ns is not None
        # Delays only ever add: a delta far below the least one, or time running back, is another zero.
        return delta < self._offset_ns - _RESYNC_NS or sent_ns < last_ns - _RESYNC_NS

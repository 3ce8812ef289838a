"""Between the network and the decoder: a short queue, and no picture whose size was not read first."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from aiortc import RTCRtpReceiver

_QUEUE = "_RTCRtpReceiver__decoder_queue"
_TROUBLE = "_RTCRtpReceiver__decoder_error"


def key_frame_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) px in the header of a VP8 key frame, RFC 6386 section 9.1; None for another frame.

    Raises ValueError for a key frame without a proper header.
    """
    if data and data[0] & 1:
        return None
    if len(data) < 10 or data[3:6] != b"\x9d\x01\x2a":
        raise ValueError("a key frame without a header")
    # The two high bits of each ask for scaling at display.
    return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF


class Gate(queue.SimpleQueue[Any]):
    """Stands in for the queue of aiortc's decoder thread, which is unbounded and takes what comes.

    ``put`` never waits: the event loop calls it. A sender of pictures above ``largest_px`` is refused
    for good before any of them is decoded. When ``depth`` frames wait, the decoder cannot keep up: they are
    thrown away with all that follow until a key frame, which ``trouble`` asks the sender for.
    """

    def __init__(
        self,
        largest_px: int,
        depth: int,
        trouble: threading.Event,
        refuse: Callable[[int, int], None],
    ) -> None:
        self.dropped = 0
        """Frames that were not decoded."""
        self._largest_px = largest_px
        self._depth = depth
        self._trouble = trouble
        self._refuse = refuse
        self._refused = False
        self._needs_key = True

    def put(self, task: Any, block: bool = True, timeout: float | None = None) -> None:
        """Take ``(codec, encoded frame)``, or None for the end."""
        if task is None:  # the end: whoever joins the thread waits for one frame at most
            self._clear()
            super().put(None)
        elif not self._refused and self._may_pass(task[1].data):
            super().put(task)
        else:
            self.dropped += 1

    def _may_pass(self, data: bytes) -> bool:
        try:
            size = key_frame_size(data)
        except ValueError:
            size = None
            self._needs_key = True
        if size is not None and size[0] * size[1] > self._largest_px:
            self._refused = True
            self._clear()
            self._refuse(*size)
            return False
        if self.qsize() >= self._depth:
            self._clear()
            self._needs_key = True
        if self._needs_key and size is None:
            self._trouble.set()
            return False
        self._needs_key = False
        return True

    def _clear(self) -> None:
        while not self.empty():
            try:
                self.get_nowait()
            except queue.Empty:  # the decoder was quicker
                return
            self.dropped += 1


def put_gate(
    receiver: RTCRtpReceiver, largest_px: int, depth: int, refuse: Callable[[int, int], None]
) -> Gate:
    """Give ``receiver`` a gate before it starts; ``refuse(width, height)`` is called by the event loop.

    Raises RuntimeError where this aiortc keeps its queue elsewhere: nothing is decoded unguarded.
    """
    trouble = getattr(receiver, _TROUBLE, None)
    if not isinstance(getattr(receiver, _QUEUE, None), queue.Queue) or trouble is None:
        raise RuntimeError(
            "this aiortc keeps its decoder's queue elsewhere; use the release in pyproject.toml"
        )
    gate = Gate(largest_px, depth, trouble, refuse)
    setattr(receiver, _QUEUE, gate)
    return gate

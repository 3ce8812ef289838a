"""What waits for the recogniser: a bounded queue that never leaves an event without its end."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace

from mer_live.engines.representation.clip import Clip
from mer_live.realtime.types import Face, Spot


@dataclass(frozen=True, slots=True)
class Waiting:
    """A decision of the spotter on its way to the recogniser."""

    spot: Spot
    clip: Clip | None
    """What is recognised; None where there is nothing to recognise."""
    decided_ns: int
    """Monotonic clock when it was decided."""
    face: Face | None = None
    whole: threading.Event | None = None
    """Set when the clip is complete; None: it is."""


class SpotQueue:
    """At most ``most`` clips wait. Decisions without a clip are small, and as few as the events: they always may.

    A source that can wait waits for room. For a live one the oldest clip gives way: of a provisional decision
    nothing is left, since another follows; a final one is turned into a withdrawal.
    """

    def __init__(self, most: int, *, block: bool) -> None:
        self._most = most
        self._block = block
        self._items: deque[Waiting] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self.dropped = 0
        """Clips that were dropped for newer ones."""

    def put(self, item: Waiting) -> None:
        """Add a decision; after ``close`` it is dropped."""
        with self._changed:
            if item.clip is not None and self._block:
                self._changed.wait_for(lambda: self._closed or self._clips() < self._most)
            elif item.clip is not None and self._clips() >= self._most:
                self._give_way()
            if not self._closed:
                self._items.append(item)
                self._changed.notify_all()

    def get(self) -> Waiting | None:
        """The oldest decision, waiting for it; None when the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items))
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Nothing more will come; what waits is still given out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _clips(self) -> int:
        return sum(item.clip is not None for item in self._items)

    def _give_way(self) -> None:
        at = next(k for k, item in enumerate(self._items) if item.clip is not None)
        oldest = self._items[at]
        self.dropped += 1
        if oldest.spot.phase == "apex":
            del self._items[at]
        else:
            gone = replace(oldest.spot, phase="withdrawn", reason="too many at once")
            self._items[at] = replace(oldest, spot=gone, clip=None)

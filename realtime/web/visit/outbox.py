"""What waits to be sent to one page: bounded, so that a slow page costs memory and delay to nobody."""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Channel(Protocol):
    """What the outbox needs of an RTCDataChannel."""

    @property
    def readyState(self) -> str:  # noqa: N802
        """'open' when it may be written to."""
        ...

    @property
    def bufferedAmount(self) -> int:  # noqa: N802
        """Bytes handed over and not yet sent."""
        ...

    def send(self, data: str) -> None:
        """Hand a message over."""
        ...


class Outbox:
    """Messages for one channel; used by the event loop alone.

    States are replaced: only the newest one waits. Everything else waits in order; when more than
    ``most_messages`` do, the oldest is dropped. Both are counted in ``dropped``.
    """

    def __init__(self, channel: Channel, most_messages: int, most_bytes: int) -> None:
        self.dropped = 0
        """Messages that were never sent."""
        self._channel = channel
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._waiting: deque[str] = deque()
        self._state: str | None = None
        self._ended = False

    @property
    def waiting(self) -> int:
        """Messages that wait, a state included."""
        return len(self._waiting) + (self._state is not None)

    def put(self, message: str) -> None:
        """Send ``message`` in order, now or later."""
        if self._ended:
            return
        if len(self._waiting) >= self._most_messages:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(message)
        self.flush()

    def put_last(self, message: str) -> None:
        """Send ``message``, and nothing after it."""
        self.dropped += self._state is not None
        self._state = None
        self.put(message)
        self._ended = True

    def put_state(self, message: str) -> None:
        """Send ``message``, unless a newer state comes before there is room for it."""
        if self._ended:
            return
        self.dropped += self._state is not None
        self._state = message
        self.flush()

    def flush(self) -> None:
        """Hand over what the channel has room for; called again when it says that it has."""
        channel = self._channel
        while (self._waiting or self._state) and channel.readyState == "open":
            if channel.bufferedAmount >= self._most_bytes:
                return
            if self._waiting:
                channel.send(self._waiting.popleft())
            elif self._state is not None:
                message, self._state = self._state, None
                channel.send(message)

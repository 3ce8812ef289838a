"""How long a face spoke."""

from __future__ import annotations

from mer_live.realtime.types import Speaking


class SpeakingTime:
    """Adds up what the path tells of speech."""

    def __init__(self) -> None:
        self._done_ns = 0
        self._open_ns: int | None = None

    def add(self, told: tuple[Speaking, ...]) -> None:
        """Take what one frame told."""
        for one in told:
            self._open_ns = one.start_ns if one.end_ns is None else None
            self._done_ns += 0 if one.end_ns is None else one.end_ns - one.start_ns

    def total_ns(self, now_ns: int) -> int:
        """So far, with speech that goes on."""
        return self._done_ns + (0 if self._open_ns is None else now_ns - self._open_ns)

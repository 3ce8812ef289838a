"""From log odds of speaking, look by look, to intervals in which the face speaks."""

from __future__ import annotations

from mer_live.realtime.types import Speaking

_BEGINS, _GOES_ON = 0.8, -0.8
"""Log odds above which speech begins, and below which it pauses."""
_PAUSE_NS = 400_000_000
"""A pause that lasts longer ends the interval, where the pause began: words lie apart, sentences further."""


class Intervals:
    """Follows one face; every interval is told twice, when it begins and when it has ended."""

    def __init__(self) -> None:
        self._start_ns: int | None = None
        self._spoke_ns = 0
        self._told: list[Speaking] = []

    def add(self, t_ns: int, log_odds: float) -> None:
        """Take one look's log odds."""
        if self._start_ns is None:
            if log_odds >= _BEGINS:
                self._start_ns = self._spoke_ns = t_ns
                self._told.append(Speaking(t_ns, None))
        elif log_odds >= _GOES_ON:
            self._spoke_ns = t_ns
        elif t_ns - self._spoke_ns > _PAUSE_NS:
            self.close()

    def close(self) -> None:
        """The face is gone, or the recording is over."""
        if self._start_ns is not None:
            self._told.append(Speaking(self._start_ns, self._spoke_ns))
            self._start_ns = None

    def take(self) -> list[Speaking]:
        """What has begun or ended since the last call."""
        told, self._told = self._told, []
        return told

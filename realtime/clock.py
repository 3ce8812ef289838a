"""Where the monotonic clock of the capture times stands against the time of day."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_TRIES = 9


@dataclass(frozen=True, slots=True)
class StartTime:
    """The time of day at time 0 of the events."""

    unix_ns: int | None
    """Nanoseconds since 1970, UTC; None for a recording that does not tell."""
    uncertainty_ns: int
    """How far the reading of the two clocks may be off; how far the machine's own time is off is not known here."""
    clock: str
    """Clock of the capture times: "CLOCK_MONOTONIC", or "media" for the times that a recording carries."""
    source: str | None = None
    """Of which source, where a run has several."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``utc`` to the microsecond."""
        utc = None if self.unix_ns is None else datetime.fromtimestamp(self.unix_ns // 1000 / 1e6, UTC)
        return {
            "utc": None if utc is None else utc.isoformat(timespec="microseconds"),
            "unix_ns": self.unix_ns,
            "uncertainty_ns": self.uncertainty_ns,
            "clock": self.clock,
            **({} if self.source is None else {"source": self.source}),
        }


def start_time(first_ns: int, *, live: bool) -> StartTime:
    """The time of day of a first frame that was captured at ``first_ns`` of the monotonic clock, if ``live``.

    The clocks are read several times; the closest pair of readings counts.
    """
    if not live:
        return StartTime(None, 0, "media")
    best_ns, ahead_ns = 1 << 62, 0
    for _ in range(_TRIES):
        before = time.monotonic_ns()
        day = time.time_ns()
        after = time.monotonic_ns()
        if after - before < best_ns:
            best_ns, ahead_ns = after - before, day - (before + after) // 2
    return StartTime(first_ns + ahead_ns, best_ns // 2 + 1, "CLOCK_MONOTONIC")

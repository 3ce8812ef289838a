"""Where markers of every origin get their time."""

from __future__ import annotations

import time
from collections import deque

from mer_live.realtime.measured.stats import Counters
from mer_live.realtime.sinks.fan import SinkFan
from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.types import Marker

MOST_CHARACTERS = 200
_KEPT = 10_000


class Marking:
    """Takes markers of one run from any thread and gives them to its sinks."""

    def __init__(self, source: FrameSource, counters: Counters, sinks: SinkFan) -> None:
        self._source, self._counters, self._sinks = source, counters, sinks
        self.kept: deque[Marker] = deque(maxlen=_KEPT)
        """Markers of the run so far, for its report."""
        self.error: Exception | None = None
        """What kept a sink from taking one; an error of the run."""

    def mark(self, text: str, by: str, at_ns: int | None = None) -> Marker | None:
        """Mark this moment, or one that was; None before the first frame, when there is no time yet.

        Args:
            text: one line of at most 200 characters.
            by: where it comes from: key, http, page or lsl.
            at_ns: on the monotonic clock; now where it is left out. A recording that is read as fast as possible has no
                now: there the newest frame's time counts.

        Raises:
            ValueError: the text is empty, too long, or no text.
        """
        words = " ".join(text.split())
        if not words or len(words) > MOST_CHARACTERS or not words.isprintable():
            raise ValueError(f"A marker is a line of 1 to {MOST_CHARACTERS} characters.")
        if (zero_ns := self._counters.first_ns) is None:
            return None
        t_ns = self._counters.newest_ns
        if self._source.epoch_ns is not None:
            t_ns = (time.monotonic_ns() if at_ns is None else at_ns) - self._source.epoch_ns
        marker = Marker(t_ns - zero_ns, words, by)
        self.kept.append(marker)
        try:
            self._sinks.mark(marker)
        except Exception as error:  # whoever marks has not caused it
            self.error = self.error or error
        return marker

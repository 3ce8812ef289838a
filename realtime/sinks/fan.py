"""All sinks of a run as one: events come from one thread, markers from any."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from mer_live.realtime.clock import StartTime
from mer_live.realtime.sinks.base import Sink, TimedSink
from mer_live.realtime.types import Event, Marker


class SinkFan:
    """Gives each item to every sink, one item at a time."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._turn = threading.Lock()
        self._closed = False

    def started(self, start: StartTime) -> None:
        """Tell when the first frame was; before any event. Raises what a sink raises."""
        with self._turn:
            for sink in self._sinks:
                if isinstance(sink, TimedSink):
                    sink.started(start)

    def write(self, item: Event) -> None:
        """Give out an event. Raises what a sink raises."""
        with self._turn:
            for sink in self._sinks:
                sink.write(item)

    def mark(self, marker: Marker) -> None:
        """Give out a marker; after the end it is dropped. Raises what a sink raises."""
        with self._turn:
            for sink in () if self._closed else self._sinks:
                if isinstance(sink, TimedSink):
                    sink.mark(marker)

    def close(self) -> None:
        """Close each, also after another failed to; the first failure is raised."""
        failed: Exception | None = None
        with self._turn:
            self._closed = True
            for sink in self._sinks:
                try:
                    sink.close()
                except Exception as error:
                    failed = failed or error
        if failed is not None:
            raise failed

"""One sink for the sources of a run: what it gets says where it comes from, and it ends with the last of them."""

from __future__ import annotations

import threading
from dataclasses import replace

from mer_live.realtime.clock import StartTime
from mer_live.realtime.sinks.base import Sink, TimedSink
from mer_live.realtime.types import Event, Marker


class SharedSink:
    """Hands out a sink for each source; they may be used from threads of their own."""

    def __init__(self, sink: Sink, sources: int) -> None:
        self._sink = sink
        self._left = sources
        self._turn = threading.Lock()

    def of(self, source: str) -> SourceSink:
        """The sink of one source, by the name that its events carry."""
        return SourceSink(self, source)

    def write(self, item: Event) -> None:
        """Give an event on."""
        with self._turn:
            self._sink.write(item)

    def started(self, start: StartTime) -> None:
        """Tell of one source when its first frame was."""
        if isinstance(self._sink, TimedSink):
            with self._turn:
                self._sink.started(start)

    def leave(self) -> None:
        """One source has ended; the last one closes the sink."""
        with self._turn:
            self._left -= 1
            if self._left == 0:
                self._sink.close()


class SourceSink:
    """What one source sees of a `SharedSink`."""

    def __init__(self, shared: SharedSink, source: str) -> None:
        self._shared, self._source = shared, source
        self._closed = False

    def write(self, item: Event) -> None:
        """Give an event on, with the name of its source."""
        self._shared.write(replace(item, source=self._source))

    def started(self, start: StartTime) -> None:
        """Give the start on, with the name of the source."""
        self._shared.started(replace(start, source=self._source))

    def mark(self, marker: Marker) -> None:
        """Runs of several sources take no markers."""

    def close(self) -> None:
        """This source has ended; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._shared.leave()

"""Those who follow one pipeline: its events and its state go to every outbox, and are counted once."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque

from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.types import Event
from mer_live.realtime.web.media.track import TrackSource
from mer_live.realtime.web.metrics import Metrics
from mer_live.realtime.web.visit.messages import event_message, state_message
from mer_live.realtime.web.visit.outbox import Outbox

_BACKLOG = 40


class Audience:
    """A sink whose events cross from the recogniser's thread into the event loop and on to the pages."""

    def __init__(self, loop: asyncio.AbstractEventLoop, metrics: Metrics) -> None:
        self.id = secrets.token_hex(4)
        """With ``run`` and an event's id it names an event, also for a page that comes back."""
        self.run = 0
        """Number of the pipeline that is followed; event ids begin anew with each."""
        self._loop = loop
        self._metrics = metrics
        self._boxes: set[Outbox] = set()
        self._past: deque[str] = deque(maxlen=_BACKLOG)

    def join(self, box: Outbox) -> None:
        """Send everything from now on to ``box``, after the newest events so far."""
        for message in self._past:
            box.put(message)
        self._boxes.add(box)

    def leave(self, box: Outbox) -> None:
        """Send nothing more to ``box``."""
        self._boxes.discard(box)

    # -- sink, on the recogniser's thread ---------------------------------------------------------

    def write(self, item: Event) -> None:
        """Pass an event on to the event loop; never waits."""
        with contextlib.suppress(RuntimeError):  # the server has ended, and its loop with it
            self._loop.call_soon_threadsafe(self._publish, item, self.run)

    def close(self) -> None:
        """Nothing to finish."""

    # -- event loop ------------------------------------------------------------------------------

    def tell(self, message: str) -> None:
        """Send a message to every page."""
        for box in self._boxes:
            box.put(message)

    async def report(self, pipeline: Pipeline, hz: float) -> None:
        """Send the state of ``pipeline`` ``hz`` times a second; runs until it is cancelled."""
        counted = Counted(self._metrics)
        while True:
            await asyncio.sleep(1 / hz)
            dropped = counted.update(pipeline)
            message = state_message(pipeline, self.run, pipeline.take_level(), dropped)
            for box in self._boxes:
                box.put_state(message)

    def _publish(self, item: Event, run: int) -> None:
        self._metrics.count_event(item)
        message = event_message(item, run)
        self._past.append(message)
        self.tell(message)


class Counted:
    """Adds what a pipeline did since the last look to the server's totals."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._processed = 0
        self._dropped = 0

    def update(self, pipeline: Pipeline) -> int:
        """Look at ``pipeline``; gives all frames that it has lost so far, wherever."""
        processed, dropped = pipeline.counters.processed, pipeline.dropped
        if isinstance(pipeline.source, TrackSource):
            dropped += pipeline.source.lost
        if processed > self._processed:
            self._metrics.age_s.observe(max(0, pipeline.counters.age_ns) / 1e9)
        self._metrics.frames.inc(processed - self._processed)
        self._metrics.frames_dropped.inc(dropped - self._dropped)
        self._processed, self._dropped = processed, dropped
        return dropped

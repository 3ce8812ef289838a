"""Those who follow one pipeline: its events and its state go to every outbox, and are counted once."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Callable, Sequence

from mer_live.realtime.clock import StartTime
from mer_live.realtime.path import Step
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.sinks.base import start_line
from mer_live.realtime.types import Event, Frame, Marker
from mer_live.realtime.web.media.track import TrackSource
from mer_live.realtime.web.metrics import Metrics
from mer_live.realtime.web.visit.bumps import Bumps, CurveLook
from mer_live.realtime.web.visit.messages import (
    encode,
    event_message,
    line_message,
    state_message,
    stream_s,
)
from mer_live.realtime.web.visit.moves import MoveTrail
from mer_live.realtime.web.visit.outbox import Outbox

_BACKLOG = 80


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
        self._trail = MoveTrail()
        self._bumps = Bumps()
        self._start: str | None = None
        """When the run began, for pages that come later."""
        self._past: deque[str] = deque(maxlen=_BACKLOG)

    def begin(self) -> Callable[[Frame, Sequence[Step]], None]:
        """A pipeline is about to be followed; what it must tell of every frame (`Pipeline.listen`)."""
        self.run += 1
        trail = self._trail = MoveTrail()
        self._bumps = Bumps()
        return lambda frame, steps: trail.add(frame.t_ns, steps)

    def join(self, box: Outbox) -> None:
        """Send everything from now on to ``box``, after the newest events so far."""
        for message in (*([] if self._start is None else [self._start]), *self._past):
            box.put(message)
        self._boxes.add(box)

    def leave(self, box: Outbox) -> None:
        """Send nothing more to ``box``."""
        self._boxes.discard(box)

    # -- sink, on the recogniser's thread ---------------------------------------------------------

    def write(self, item: Event) -> None:
        """Pass an event on to the event loop, and where the face moved in it; never waits."""
        messages = [event_message(item, self.run)]
        whose = None if item.face is None else item.face.id
        if item.state != "withdrawn" and (moves := self._trail.moves(item.span, whose)):
            messages.append(encode("moves", run=self.run, id=item.id, face=whose, moves=moves))
        with contextlib.suppress(RuntimeError):  # the server has ended, and its loop with it
            self._loop.call_soon_threadsafe(self._publish, item, messages)

    def started(self, start: StartTime) -> None:
        """Tell every page when the run began."""
        self._start = line_message(start_line(start), self.run)
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.tell, self._start)

    def mark(self, marker: Marker) -> None:
        """Tell every page of a marker."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._keep, line_message(marker.to_json(), self.run))

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
            level, (lids, head_px_s) = pipeline.take_level(), self._trail.take_look()
            speaking = max(path.spotter.speaking for path in pipeline.paths) > 0.5
            message = state_message(pipeline, self.run, level, dropped, speaking)
            for box in self._boxes:
                box.put_state(message)
            if (t_s := stream_s(pipeline)) is not None:
                for bump in self._bumps.add(CurveLook(t_s, level, lids, head_px_s, speaking)):
                    self.tell(encode("bump", run=self.run, at_s=round(bump.at_s, 3), why=bump.why))

    def _publish(self, item: Event, messages: list[str]) -> None:
        self._metrics.count_event(item)
        if item.state != "withdrawn":
            offset = item.span.offset
            self._bumps.event(item.span.onset.t_ns / 1e9, None if offset is None else offset.t_ns / 1e9)
        for message in messages:
            self._keep(message)

    def _keep(self, message: str) -> None:
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

"""From decisions to events: each is named by the engines, revised, and given to the sinks."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import replace

from mer_live.engines.representation.clip import Clip
from mer_live.realtime.config import Decide
from mer_live.realtime.measured.stats import Counters
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.recognition.spot_queue import Waiting
from mer_live.realtime.sinks.fan import SinkFan
from mer_live.realtime.types import STATES, Event, State

KEPT_EVENTS = 10_000
"""Events held for the report; older ones are in the sinks only, so memory stays flat."""
_RANK: dict[State, int] = {"provisional": 0, "final": 1, "settled": 2}


class Naming:
    """Turns decisions into events, in one thread. Every event that is given out ends settled or withdrawn."""

    def __init__(self, recognizer: Recognizer, sinks: SinkFan, counters: Counters, decide: Decide) -> None:
        self.events: OrderedDict[int, Event] = OrderedDict()
        """Newest revision of each event by id, those withdrawn left out."""
        self._recognizer = recognizer
        self._sinks = sinks
        self._counters = counters
        self._least = _RANK[decide]
        self._told: set[int] = set()
        """Events that were given out and have not ended."""

    def take(self, item: Waiting) -> None:
        """Name, confirm or withdraw one candidate."""
        spot, known = item.spot, self.events.get(item.spot.id)
        if item.clip is not None:
            if _RANK[STATES[spot.phase]] >= self._least or spot.phase == "offset":
                self._emit(self._named(item, item.clip, known))
        elif known is not None:  # else it was never named
            now = time.monotonic_ns() - item.decided_ns
            zero = self._counters.first_ns or 0
            self._emit(
                replace(
                    known,
                    revision=known.revision + 1,
                    state=STATES[spot.phase],
                    score=spot.score,
                    span=spot.span.since(zero),
                    decided=spot.decided.since(zero),
                    compute_ns=now,
                    stages_ns=(("other", now),),
                    reason=spot.reason,
                )
            )

    def _named(self, item: Waiting, clip: Clip, known: Event | None) -> Event:
        spot, zero = item.spot, self._counters.first_ns or 0
        if item.whole is not None:
            item.whole.wait()
        started = time.monotonic_ns()
        seen = self._recognizer.recognize(clip)
        done = time.monotonic_ns()
        self._counters.stages["recognise"].add(done - started)
        stages = (("queue", started - item.decided_ns), *seen.stages_ns)
        compute_ns = done - item.decided_ns
        return Event(
            id=spot.id,
            revision=1 if known is None else known.revision + 1,
            state=STATES[spot.phase],
            label=self._recognizer.classes[int(seen.probs.argmax())],
            probs=seen.probs,
            score=spot.score,
            span=spot.span.since(zero),
            decided=spot.decided.since(zero),
            compute_ns=compute_ns,
            stages_ns=(*stages, ("other", compute_ns - sum(ns for _, ns in stages))),
            engine=self._recognizer.engine,
            backend=self._recognizer.backend,
            face=item.face,
            classes=self._recognizer.classes,
            kind=spot.kind,
        )

    def _emit(self, event: Event) -> None:
        if event.state == "withdrawn":
            self.events.pop(event.id, None)
        else:
            self.events[event.id] = event
            if len(self.events) > KEPT_EVENTS:
                self.events.popitem(last=False)
        self._counters.count(event)
        if event.state == "withdrawn" and event.id not in self._told:
            return
        if event.state != "withdrawn" and _RANK[event.state] < self._least:
            return
        if event.state in ("settled", "withdrawn"):
            self._told.discard(event.id)
        else:
            self._told.add(event.id)
        started = time.monotonic_ns()
        self._sinks.write(event)
        self._counters.stages["emit"].add(time.monotonic_ns() - started)

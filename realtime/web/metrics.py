"""Counts of the whole server in Prometheus' text format."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import psutil

from mer_live.realtime.types import Event, Withdrawal

_BOUNDS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 1.0, 2.0)


class Histogram:
    """Counts of values up to each of some bounds, with their sum."""

    def __init__(self, bounds: Sequence[float] = _BOUNDS_S) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def lines(self, name: str, labels: str = "") -> Iterable[str]:
        """Buckets, sum and count as Prometheus wants them: cumulative."""
        total = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            yield f'{name}_bucket{{{labels}{"," if labels else ""}le="{bound}"}} {total}'
        braces = f"{{{labels}}}" if labels else ""
        yield f"{name}_sum{braces} {self.sum:.6f}"
        yield f"{name}_count{braces} {total}"


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """One session, as /metrics shows it."""

    mode: str
    fps: float
    received_fps: float


@dataclass(slots=True)
class Metrics:
    """Totals since the start; written and read by the event loop alone."""

    sessions_total: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """Offers that got no session, by reason."""
    ended: dict[str, int] = field(default_factory=dict)
    """Sessions that ended, by reason."""
    frames: int = 0
    frames_dropped: int = 0
    messages_dropped: int = 0
    messages_refused: int = 0
    events: dict[str, int] = field(default_factory=lambda: {"provisional": 0, "final": 0, "withdrawn": 0})
    delay: dict[str, Histogram] = field(
        default_factory=lambda: {"provisional": Histogram(), "final": Histogram()}
    )
    compute: Histogram = field(default_factory=Histogram)
    age: Histogram = field(default_factory=Histogram)

    def count_event(self, item: Event | Withdrawal) -> None:
        """Count an event and its delays."""
        if isinstance(item, Withdrawal):
            self.events["withdrawn"] += 1
            return
        kind = "final" if item.final else "provisional"
        self.events[kind] += 1
        self.delay[kind].add(item.delay_ns / 1e9)
        self.compute.add(item.compute_ns / 1e9)

    def count_refusal(self, reason: str) -> None:
        """Count an offer that got no session."""
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def count_end(self, reason: str) -> None:
        """Count the end of a session."""
        self.ended[reason] = self.ended.get(reason, 0) + 1

    def render(self, sessions: Sequence[SessionFigures], most_sessions: int) -> str:
        """The whole page, Prometheus text format 0.0.4."""
        return "\n".join([*self._totals(), *self._gauges(sessions, most_sessions)]) + "\n"

    def _totals(self) -> Iterable[str]:
        yield from _labelled("sessions_ended_total", "Ends of sessions.", "reason", self.ended)
        yield from _labelled("offers_refused_total", "Offers without a session.", "reason", self.refused)
        yield from _labelled("events_total", "Events.", "kind", self.events)
        for name, words, value in (
            ("sessions_total", "Connections so far.", self.sessions_total),
            ("frames_total", "Frames analysed.", self.frames),
            ("frames_dropped_total", "Frames received and not analysed.", self.frames_dropped),
            ("messages_dropped_total", "Messages that slow pages never got.", self.messages_dropped),
            ("messages_refused_total", "Malformed messages from pages.", self.messages_refused),
        ):
            yield from (*_head(name, "counter", words), f"mer_{name} {value}")
        yield from _head("decision_delay_seconds", "histogram", "Apex or offset to decision, stream time.")
        for kind, times in self.delay.items():
            yield from times.lines("mer_decision_delay_seconds", f'kind="{kind}"')
        yield from _head("compute_seconds", "histogram", "Decision to named event.")
        yield from self.compute.lines("mer_compute_seconds")
        yield from _head("frame_age_seconds", "histogram", "Capture to analysed.")
        yield from self.age.lines("mer_frame_age_seconds")

    def _gauges(self, sessions: Sequence[SessionFigures], most_sessions: int) -> Iterable[str]:
        for name, words, value in (
            ("sessions", "Connections now.", len(sessions)),
            ("sessions_limit", "Connections at most.", most_sessions),
            ("resident_bytes", "Memory of the process.", psutil.Process().memory_info().rss),
            ("threads", "Python threads.", threading.active_count()),
        ):
            yield from (*_head(name, "gauge", words), f"mer_{name} {value}")
        rates = [(f'session="{k}",mode="{s.mode}"', s) for k, s in enumerate(sessions)]
        yield from _head("session_fps", "gauge", "Frames a second analysed.")
        yield from (f"mer_session_fps{{{labels}}} {s.fps:.2f}" for labels, s in rates)
        yield from _head("session_received_fps", "gauge", "Frames a second received.")
        yield from (f"mer_session_received_fps{{{labels}}} {s.received_fps:.2f}" for labels, s in rates)


def _head(name: str, kind: str, words: str) -> tuple[str, str]:
    return f"# HELP mer_{name} {words}", f"# TYPE mer_{name} {kind}"


def _labelled(name: str, words: str, label: str, counts: dict[str, int]) -> Iterable[str]:
    yield from _head(name, "counter", words)
    yield from (f'mer_{name}{{{label}="{key}"}} {n}' for key, n in sorted(counts.items()))

"""Counts of the whole server, for Prometheus."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mer_live.realtime.types import Event

_BOUNDS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """One session, as /metrics shows it."""

    mode: str
    fps: float
    received_fps: float


class Metrics:
    """Totals since the start, and what is now when it is asked for."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, words: str, *labels: str) -> Counter:
            return Counter(f"mer_{name}", words, labels, registry=registry)

        def histogram(name: str, words: str, *labels: str) -> Histogram:
            return Histogram(f"mer_{name}", words, labels, registry=registry, buckets=_BOUNDS_S)

        def gauge(name: str, words: str, *labels: str) -> Gauge:
            return Gauge(f"mer_{name}", words, labels, registry=registry)

        self.sessions_opened = counter("sessions_opened", "Connections so far.")
        self._ended = counter("sessions_ended", "Ends of sessions.", "reason")
        self._refused = counter("offers_refused", "Offers without a session.", "reason")
        self._events = counter("events", "Events.", "state")
        self.frames = counter("frames", "Frames analysed.")
        self.frames_dropped = counter("frames_dropped", "Frames received and not analysed.")
        self.messages_dropped = counter("messages_dropped", "Messages that slow pages never got.")
        self.messages_refused = counter("messages_refused", "Malformed messages from pages.")
        self._delay_s = histogram(
            "decision_delay_seconds", "Apex or offset to decision, stream time.", "state"
        )
        self._compute_s = histogram("compute_seconds", "Decision to named event.")
        self.age_s = histogram("frame_age_seconds", "Capture to analysed.")
        self._sessions = gauge("sessions", "Connections now.")
        self._limit = gauge("sessions_limit", "Connections at most.")
        self._fps = gauge("session_fps", "Frames a second analysed.", "session", "mode")
        self._received_fps = gauge("session_received_fps", "Frames a second received.", "session", "mode")
        process = psutil.Process()
        gauge("resident_bytes", "Memory of the process.").set_function(lambda: process.memory_info().rss)
        gauge("threads", "Threads of the process.").set_function(process.num_threads)
        gauge("python_threads", "Of them, Python's.").set_function(threading.active_count)

    def count_event(self, item: Event) -> None:
        """Count an event and its delays."""
        self._events.labels(item.state).inc()
        if item.state == "withdrawn":
            return
        self._delay_s.labels(item.state).observe(item.delay_ns / 1e9)
        self._compute_s.observe(item.compute_ns / 1e9)

    def count_refusal(self, reason: str) -> None:
        """Count an offer that got no session."""
        self._refused.labels(reason).inc()

    def count_end(self, reason: str) -> None:
        """Count the end of a session."""
        self._ended.labels(reason).inc()

    def render(self, sessions: Sequence[SessionFigures], most_sessions: int) -> bytes:
        """The whole page in Prometheus' text format."""
        self._sessions.set(len(sessions))
        self._limit.set(most_sessions)
        for rate in (self._fps, self._received_fps):
            rate.clear()
        for number, one in enumerate(sessions):
            self._fps.labels(number, one.mode).set(one.fps)
            self._received_fps.labels(number, one.mode).set(one.received_fps)
        return generate_latest(self.registry)

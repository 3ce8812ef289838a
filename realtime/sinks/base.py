"""What every sink offers, and the one place where events become lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

from mer_live.realtime.clock import StartTime
from mer_live.realtime.types import Event, Marker

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
FORMAT = 2
"""Version of the event lines' schema: 2 has lines of the start and of markers."""


class Sink(Protocol):
    """Takes events in the order of their emission, from one thread."""

    def write(self, item: Event) -> None:
        """Take one item; it must be safe on disk, or on its way, when this returns."""
        ...

    def close(self) -> None:
        """Finish, also after an error; a second call does nothing."""
        ...


@runtime_checkable
class TimedSink(Protocol):
    """A sink that also tells when the run began and what was marked; `SinkFan` gives it one item at a time."""

    def started(self, start: StartTime) -> None:
        """The first frame was captured then; called once, before any event, unless there is no frame."""
        ...

    def mark(self, marker: Marker) -> None:
        """Take a marker, from any thread."""
        ...


@runtime_checkable
class ServedSink(Protocol):
    """A sink that other programs connect to, and that takes their markers."""

    lost: int
    """Lines that readers were too slow for."""
    mark_by: Callable[[str, str], Marker | None] | None
    """Takes a text and where it came from."""


def parse_address(address: str) -> tuple[str, int]:
    """(host, port) of ``ws://127.0.0.1:PORT``; ValueError for another host or none."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host not in _LOOPBACK or port is None or parts.path not in ("", "/"):
        raise ValueError(f"Events are served on this machine alone, as ws://127.0.0.1:8765, not {address!r}.")
    return host, port


def start_line(start: StartTime) -> dict[str, Any]:
    """The documented JSON object that stands before all others."""
    return {"type": "start", "format": FORMAT, **start.to_json()}


def event_line(item: Event) -> dict[str, Any]:
    """The documented JSON object of an event (docs/formats.md); times in s and ms."""
    seen_by = {} if item.source is None else {"source": item.source}
    if item.state == "withdrawn":
        return {
            "type": "withdrawn",
            "id": item.id,
            "revision": item.revision,
            "decided_s": _s(item.decided.t_ns),
            "reason": item.reason,
            **seen_by,
        }
    return {
        "type": "event",
        "id": item.id,
        "revision": item.revision,
        "state": item.state,
        **({} if item.kind == "micro" else {"kind": item.kind}),
        "label": item.label,
        "probs": {name: round(float(p), 4) for name, p in zip(item.classes, item.probs, strict=True)},
        "score": round(item.score, 4),
        **item.span.to_json(),
        "decided_s": _s(item.decided.t_ns),
        "delay_ms": round(item.delay_ns / 1e6, 3),
        "compute_ms": round(item.compute_ns / 1e6, 3),
        "face": None if item.face is None else {"id": item.face.id, "box": list(item.face.box)},
        "engine": item.engine,
        "backend": item.backend,
        **seen_by,
    }


def _s(ns: int) -> float:
    return round(ns / 1e9, 6)

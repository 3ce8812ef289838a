"""What every sink offers, and the one place where events and withdrawals become plain records."""

from __future__ import annotations

from typing import Any, Protocol

from mer_live.realtime.types import CLASSES, Event, Withdrawal


class Sink(Protocol):
    """Takes events in the order of their emission, from one thread."""

    def write(self, item: Event | Withdrawal) -> None:
        """Take one item; it must be safe on disk, or on its way, when this returns."""
        ...

    def close(self) -> None:
        """Finish; called once, also after an error."""
        ...


def record(item: Event | Withdrawal) -> dict[str, Any]:
    """The documented JSON object of an event (README, "Event JSONL"); times in s and ms."""
    if isinstance(item, Withdrawal):
        return {
            "type": "withdrawn",
            "id": item.id,
            "revision": item.revision,
            "decided_s": _s(item.decided_ns),
            "reason": item.reason,
        }
    return {
        "type": "event",
        "id": item.id,
        "revision": item.revision,
        "final": item.final,
        "label": item.label,
        "probs": {name: round(float(p), 4) for name, p in zip(CLASSES, item.probs, strict=True)},
        "score": round(item.score, 4),
        "onset_s": _s(item.onset_ns),
        "apex_s": _s(item.apex_ns),
        "offset_s": None if item.offset_ns is None else _s(item.offset_ns),
        "onset_frame": item.onset,
        "apex_frame": item.apex,
        "offset_frame": item.offset,
        "decided_s": _s(item.decided_ns),
        "delay_ms": round(item.delay_ns / 1e6, 3),
        "compute_ms": round(item.compute_ns / 1e6, 3),
        "engine": item.engine,
        "backend": item.backend,
    }


def _s(ns: int) -> float:
    return round(ns / 1e9, 6)

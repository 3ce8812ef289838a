"""Where events go: one file for each kind of output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mer_live.realtime.sinks.base import Sink, event_line, parse_address
from mer_live.realtime.sinks.csv import CsvSink
from mer_live.realtime.sinks.jsonl import JsonlSink
from mer_live.realtime.types import CLASSES

__all__ = ["CsvSink", "JsonlSink", "Sink", "check_events_path", "event_line", "open_sink"]


def check_events_path(path: str) -> None:
    """Refuse a path that no sink can serve, before anything is started or overwritten.

    Raises ValueError: unknown ending, or a folder that is not there.
    """
    if path == "-":
        return
    if path.startswith("ws:"):
        parse_address(path)
        return
    if Path(path).suffix not in (".jsonl", ".csv"):
        raise ValueError(
            f"Events go to a .jsonl or .csv file, to - (stdout) or to ws://127.0.0.1:PORT, not to {path!r}."
        )
    if not Path(path).absolute().parent.is_dir():
        raise ValueError(f"The folder of {path!r} does not exist; create it first.")


def open_sink(path: str, classes: Sequence[str] = CLASSES, *, macro: bool = False) -> Sink:
    """The sink for an ``--events`` argument that ``check_events_path`` has passed. Raises OSError.

    Args:
        path: as given.
        classes: that events are decided between.
        macro: whether macro-expressions are among them.
    """
    if path.startswith("ws:"):
        from mer_live.realtime.sinks.socket import SocketSink  # brings aiohttp, which takes a while to load

        return SocketSink(path)
    return CsvSink(path, classes, macro=macro) if path.endswith(".csv") else JsonlSink(path)

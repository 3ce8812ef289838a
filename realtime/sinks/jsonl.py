"""Events as JSON lines, in a file or on stdout; complete after every line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mer_live.realtime.sinks.base import record
from mer_live.realtime.types import Event


class JsonlSink:
    """Writes one object a line and flushes it; ``-`` is stdout."""

    def __init__(self, path: str | Path) -> None:
        self._own = str(path) != "-"
        self._file = open(path, "w", encoding="utf-8") if self._own else sys.stdout  # noqa: SIM115

    def write(self, item: Event) -> None:
        """Append ``item``; raises OSError when the disk is full or the reader has gone.

        Raises ValueError for a number that JSON does not have: no line is written that a parser refuses.
        """
        self._file.write(json.dumps(record(item), allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; stdout stays open."""
        if self._own:
            self._file.close()

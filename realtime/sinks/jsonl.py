"""Events as JSON lines, in a file or on stdout; complete after every line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mer_live.realtime.clock import StartTime
from mer_live.realtime.outputs import open_output, unwritable
from mer_live.realtime.sinks.base import event_line, start_line
from mer_live.realtime.types import Event, Marker


class JsonlSink:
    """Writes one object a line and flushes it; ``-`` is stdout."""

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._own = str(path) != "-"
        self._file = open_output(path) if self._own else sys.stdout

    def write(self, item: Event) -> None:
        """Append ``item``; raises OSError when the disk is full or the reader has gone.

        Raises ValueError for a number that JSON does not have: no line is written that a parser refuses.
        """
        self._append(event_line(item))

    def started(self, start: StartTime) -> None:
        """Write when the first frame was."""
        self._append(start_line(start))

    def mark(self, marker: Marker) -> None:
        """Append a marker."""
        self._append(marker.to_json())

    def close(self) -> None:
        """Close the file; stdout stays open."""
        if self._own:
            self._file.close()

    def _append(self, content: dict[str, Any]) -> None:
        line = json.dumps(content, allow_nan=False) + "\n"
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise unwritable(self._path, error) from error

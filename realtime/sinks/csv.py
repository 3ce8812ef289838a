"""Events and markers as CSV rows, one column a field, class probabilities in columns of their own."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mer_live.engines.files import write_json
from mer_live.realtime.clock import StartTime
from mer_live.realtime.outputs import open_output, sidecar, unwritable
from mer_live.realtime.sinks.base import event_line
from mer_live.realtime.types import CLASSES, Event, Marker


def columns(classes: Sequence[str] = CLASSES, *, macro: bool = False) -> tuple[str, ...]:
    """Names of the columns where events are decided between these classes, macro-expressions among them or not."""
    return (
        *("type", "id", "revision", "state", *(("kind",) if macro else ()), "label"),
        *(f"prob_{name}" for name in classes),
        *("score", "onset_s", "apex_s", "offset_s", "onset_frame", "apex_frame", "offset_frame"),
        *("decided_s", "delay_ms", "compute_ms", "face", "face_box", "engine", "backend", "reason", "source"),
        *("text", "by"),
    )


def flat(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line as a row: probabilities and face in columns of their own; a marker's time is its onset."""
    row = dict(line)
    if row["type"] == "marker":
        row["onset_s"] = row.pop("t_s")
    for name, p in row.pop("probs", {}).items():
        row[f"prob_{name}"] = p
    if face := row.get("face"):
        row |= {"face": face["id"], "face_box": " ".join(map(str, face["box"]))}
    return row


class CsvSink:
    """Writes a header, then one row an event or marker, each flushed; unknown values are empty cells.

    When it began stands in a file beside it, as "CSV on the Web" has it (W3C, Metadata Vocabulary for Tabular Data,
    5.2), since a CSV has no place for it that every reader passes over.
    """

    def __init__(self, path: str | Path, classes: Sequence[str] = CLASSES, *, macro: bool = False) -> None:
        self._path = path
        self._starts: list[dict[str, Any]] = []
        self._file = open_output(path)
        self._rows = csv.DictWriter(self._file, columns(classes, macro=macro), restval="")
        self._rows.writeheader()
        self._file.flush()

    def write(self, item: Event) -> None:
        """Append ``item``; raises OSError when the disk is full."""
        self._append(event_line(item))

    def started(self, start: StartTime) -> None:
        """Write PATH-metadata.json; a pipe gets none. Raises OSError."""
        path = Path(self._path)
        if not path.is_file():
            return
        about = {"@context": "http://www.w3.org/ns/csvw", "dc:creator": "mer-live", "url": path.name}
        self._starts.append({"start": start.to_json()})  # one of each source
        try:
            write_json(sidecar(path), {**about, "notes": self._starts})
        except OSError as error:
            raise unwritable(sidecar(path), error) from error

    def mark(self, marker: Marker) -> None:
        """Append ``marker``; raises OSError when the disk is full."""
        self._append(marker.to_json())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            self._rows.writerow(flat(line))
            self._file.flush()
        except OSError as error:
            raise unwritable(self._path, error) from error

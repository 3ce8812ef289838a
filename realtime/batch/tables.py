"""All recordings and all events of an archive as tables: CSV always, Parquet where pyarrow is."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mer_live.engines.files import whole
from mer_live.realtime.sinks.csv import columns, flat
from mer_live.realtime.types import CLASSES

RECORDINGS, EVENTS, PARQUET = "recordings.csv", "events.csv", "events.parquet"
_WHOLE = ("id", "revision", "onset_frame", "apex_frame", "offset_frame", "face")
_TEXT = ("recording", "state", "label", "face_box", "engine", "backend")
_ROWS_AT_ONCE = 20_000


def event_columns(classes: Sequence[str]) -> tuple[str, ...]:
    """Of events.csv and events.parquet."""
    return ("recording", *(name for name in columns(classes) if name not in ("type", "reason", "text", "by")))


def recording_columns(classes: Sequence[str]) -> tuple[str, ...]:
    """Of recordings.csv."""
    return (
        *("recording", "reason", "hint", "frames", "length_s", "fps", "usable", "speaking", "events"),
        *classes,
        *("start_utc", "start_uncertainty_ns", "start_clock", "seconds"),
    )


def flat_row(row: dict[str, Any], classes: Sequence[str] = CLASSES) -> dict[str, Any]:
    """A recording's row with counts in the place of its events."""
    labels = [event["label"] for event in row["events"]]
    start = row["start"]
    return {
        **row,
        "events": len(labels),
        **{name: labels.count(name) for name in classes},
        **{"start_utc": start["utc"], "start_clock": start["clock"]},
        "start_uncertainty_ns": start["uncertainty_ns"],
    }


def write_tables(
    rows: Iterable[dict[str, Any]], folder: Path, classes: Sequence[str] = CLASSES
) -> list[Path]:
    """Write recordings.csv, events.csv and, with pyarrow, events.parquet; in one pass, each whole or not at all.

    Raises OSError.
    """
    names = [RECORDINGS, EVENTS, *([PARQUET] if find_spec("pyarrow") else [])]
    with ExitStack() as closing:
        parts = [closing.enter_context(whole(folder / name)) for name in names]
        # The files are closed before they take their names.
        with ExitStack() as files:
            recordings, events = (
                files.enter_context(part.open("w", encoding="utf-8", newline="")) for part in parts[:2]
            )
            one_a_recording = csv.DictWriter(recordings, recording_columns(classes), extrasaction="ignore")
            one_an_event = csv.DictWriter(events, event_columns(classes), extrasaction="ignore")
            one_a_recording.writeheader()
            one_an_event.writeheader()
            parquet = (
                files.enter_context(_Parquet(parts[2], event_columns(classes))) if len(parts) > 2 else None
            )
            for row in rows:
                one_a_recording.writerow(flat_row(row, classes))
                for event in row["events"]:
                    line = {"recording": row["recording"], **flat(event)}
                    one_an_event.writerow(line)
                    if parquet is not None:
                        parquet.add(line)
    return [folder / name for name in names]


class _Parquet:
    """Events into one Parquet file, some thousands at once."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        kinds = {name: pa.int64() for name in _WHOLE} | {name: pa.string() for name in _TEXT}
        self._schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in names])
        self._names = names
        self._table = pa.Table
        self._writer = parquet.ParquetWriter(str(path), self._schema)
        self._lines: list[dict[str, Any]] = []

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, *exc: object) -> None:
        self._flush()
        self._writer.close()

    def add(self, line: dict[str, Any]) -> None:
        """Take one event."""
        self._lines.append(line)
        if len(self._lines) >= _ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        columns = dict(self._columns())
        self._writer.write_table(self._table.from_pydict(columns, schema=self._schema))
        self._lines.clear()

    def _columns(self) -> Iterator[tuple[str, list[Any]]]:
        for name in self._names:
            yield name, [line.get(name) for line in self._lines]

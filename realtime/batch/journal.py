"""What is done of an archive: one line a recording, on disk before the next, so that a power cut loses none."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from mer_live.realtime.batch.recordings import ArchiveItem

JOURNAL = "batch.jsonl"
FORMAT = 1


class JournalError(ValueError):
    """A folder that another archive was begun in; one sentence."""


class BatchJournal:
    """batch.jsonl: settings, then a row a recording; the last row of a recording counts. One process at a time."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        """Open or go on with the journal in ``folder``.

        Raises:
            JournalError: it was begun with other settings, or another process writes it.
            OSError: the disk refuses.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / JOURNAL
        self._file = self.path.open("a+b")
        try:
            self._begin(settings)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def add(self, row: dict[str, Any]) -> None:
        """Append one recording's row; it is on disk when this returns. Raises OSError."""
        self._file.write(json.dumps({"type": "recording", **row}, allow_nan=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def rows(self) -> Iterator[dict[str, Any]]:
        """The row of each recording in order of their names; one is held at a time."""
        last = {str(line["recording"]): at for at, line in self._lines()}
        with self.path.open("rb") as file:
            for name in sorted(last):
                file.seek(last[name])
                yield json.loads(file.readline())

    def left(self, recordings: Sequence[ArchiveItem], *, failed_again: bool = False) -> list[ArchiveItem]:
        """Those without a row, those whose file is another one now, and if wanted those that failed."""
        done = {
            line["recording"]: (line["bytes"], line["mtime_ns"])
            for line in self.rows()
            if not (failed_again and line["reason"])
        }
        return [one for one in recordings if done.get(one.name) != (one.bytes, one.mtime_ns)]

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(Where it begins, row)."""
        with self.path.open("rb") as file:
            at = len(file.readline())  # the settings
            for line in file:
                yield at, json.loads(line)
                at += len(line)

    def _begin(self, settings: dict[str, Any]) -> None:
        _lock(self._file.fileno(), self.path)
        self._file.seek(0)
        first = self._file.readline()
        if not first.endswith(b"\n"):  # new, or cut off at once
            self._file.truncate(0)
            self._file.write(json.dumps({"type": "settings", "format": FORMAT, **settings}).encode() + b"\n")
            self._file.flush()
            return
        try:
            begun = json.loads(first)
            told = {key: begun[key] for key in settings}
        except (ValueError, KeyError, TypeError):
            raise JournalError(
                f"{self.path} was not written by mer-live batch: choose another --out."
            ) from None
        if other := [key for key in settings if told[key] != settings[key]]:
            raise JournalError(
                f"{self.path.parent} was begun with another {other[0]} ({told[other[0]]}): "
                "choose another --out, or the same options."
            )
        self._file.seek(0)
        end = 0
        for line in self._file:
            if not line.endswith(b"}\n"):  # a power cut
                self._file.truncate(end)
                break
            end += len(line)
        self._file.seek(0, os.SEEK_END)


def _lock(number: int, path: Path) -> None:
    if sys.platform == "win32":  # has no such lock; nothing is lost without
        return
    import fcntl

    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise JournalError(f"{path.parent} is being written by another mer-live batch.") from None

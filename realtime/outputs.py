"""Files that a run writes: none is an input or another output, none of another's making is lost, none blocks."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from mer_live.engines.files import write_json

_OURS = (
    *(b'{"type": ', b"type,id,revision,", b'{\n "source": ', b'{\n "sources": '),
    b'{\n "@context": "http://www.w3.org/ns/csvw",\n "dc:creator": "mer-live"',
)
"""First bytes of what mer-live writes: JSON lines, CSV, reports, and the description beside a CSV."""


def sidecar(path: str | Path) -> Path:
    """The file beside a CSV that tells when its times begin."""
    return Path(f"{path}-metadata.json")


def check_outputs(events: Sequence[str], report: Path | None, source: int | str) -> None:
    """Refuse what would lose something, before anything is loaded or written. Raises ValueError, one sentence."""
    seen: dict[tuple[object, ...], str] = {}
    if isinstance(source, str):
        for name in _names(source):
            seen[name] = "the source"
    for path in (
        *(path for path in events if path != "-" and not path.startswith("ws:")),
        *(str(sidecar(path)) for path in events if path.endswith(".csv")),
        *([] if report is None else [str(report)]),
    ):
        for name in _names(path):
            if name in seen:
                raise ValueError(f"{path!r} is also {seen[name]}: give every output a file of its own.")
        seen |= dict.fromkeys(_names(path), f"the output {path!r}")
        _check_place(path, regular=report is not None and path == str(report))
    if "-" in events and sys.stdout.name == os.devnull:
        raise ValueError("stdout is closed: give the events a file.")
    if list(events).count("-") > 1:
        raise ValueError("'-' is given twice: stdout takes the events once.")


def open_output(path: str | Path) -> TextIO:
    """Open ``path`` for UTF-8 text, emptied; a pipe that nobody reads is an error and not a wait.

    Raises OSError, one sentence.
    """
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NONBLOCK", 0), 0o666)
    except OSError as error:
        raise unwritable(path, error) from error
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(number, True)
    return open(number, "w", encoding="utf-8", newline="")


@contextmanager
def pipes_held(paths: Sequence[str]) -> Iterator[None]:
    """Open the pipes among ``paths`` now, so that one that nobody reads is told before anything is loaded.

    They stay open meanwhile, for a reader would take a close for the end. Raises OSError, one sentence.
    """
    with ExitStack() as held:
        for path in paths:
            if Path(path).is_fifo():
                held.enter_context(open_output(path))
        yield


def write_report(path: Path, content: dict[str, Any]) -> None:
    """Write ``content`` as JSON, whole or not at all. Raises OSError, one sentence."""
    try:
        write_json(path, content)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: str | Path, error: OSError) -> OSError:
    """The error that says which file could not be written, why, and what to do."""
    if isinstance(error, BrokenPipeError):
        return error
    why = (error.strerror or str(error)).lower()
    if Path(path).is_fifo():
        return OSError(f"{str(path)!r} is a pipe that nobody reads: start its reader first.")
    return OSError(f"{str(path)!r} cannot be written ({why}): free some space, or choose another place.")


def _check_place(path: str, *, regular: bool) -> None:
    place = Path(path)
    if not os.access(place.absolute().parent, os.W_OK):
        raise ValueError(f"The folder of {path!r} cannot be written to: choose another one.")
    try:
        kind = place.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(kind) or (regular and not stat.S_ISREG(kind)):
        raise ValueError(f"{path!r} is there and is no file: choose another name.")
    if stat.S_ISREG(kind):
        with place.open("rb") as file:
            begin = file.read(max(len(mark) for mark in _OURS))
        if begin and not begin.startswith(_OURS):
            raise ValueError(
                f"{path!r} is there and mer-live did not write it: choose another name, or remove it."
            )


def _names(path: str) -> list[tuple[object, ...]]:
    """What tells one file from another: its resolved path, and where it exists, its inode."""
    names: list[tuple[object, ...]] = [(str(Path(path).resolve()),)]
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return names
    return [*names, (found.st_dev, found.st_ino)]

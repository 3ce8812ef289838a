"""Which recordings an archive holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mer_live.engines.csv_file import read_columns
from mer_live.realtime.session.layout import VIDEO, is_session
from mer_live.realtime.sources.container import VIDEOS


@dataclass(frozen=True, slots=True)
class ArchiveItem:
    """One recording of an archive."""

    name: str
    """Its path as list or folder have it; what tells it from the others."""
    source: str
    """What is opened."""
    fps: float | None
    """Its true rate, where the file does not tell it."""
    bytes: int
    mtime_ns: int
    """Size and time of the file, 0 without a file: where they change, it is analysed anew."""


def find_recordings(where: Path, fps: float | None = None) -> list[ArchiveItem]:
    """Videos and sessions in a folder and its folders, or the rows of a list, in order of their names.

    Args:
        where: a folder; or a CSV with a column ``path`` (from the list's own folder on) and, if wanted, ``fps``.
        fps: true rate of those for which the list has none.

    Raises:
        ValueError: nothing there, or a row that cannot be; CsvError is one.
    """
    found = list(_listed(where, fps) if where.is_file() else _inside(where, where, fps))
    names = [one.name for one in found]
    if not found:
        raise ValueError(f"{where} holds no recording: give a folder of videos, or a CSV with a column path.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{where} names {twice} twice: keep one.")
    return sorted(found, key=lambda one: one.name)


def _listed(where: Path, fps: float | None) -> Iterator[ArchiveItem]:
    for row in read_columns(where, ("path",)):
        try:
            rate = float(row["fps"].replace(",", ".")) if row.get("fps") else fps
            if rate is not None and not 0 < rate <= 100_000:
                raise ValueError
        except ValueError:
            raise ValueError(
                f"{where} line {row['line']}: fps is a number above 0, not {row['fps']!r}."
            ) from None
        if not row["path"]:
            raise ValueError(f"{where} line {row['line']} has no path.")
        source = row["path"] if "://" in row["path"] else str(where.parent / row["path"])
        yield _recording(row["path"], source, rate)


def _inside(folder: Path, root: Path, fps: float | None) -> Iterator[ArchiveItem]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not is_session(path):
            yield from _inside(path, root, fps)
        elif path.is_dir() or path.suffix.lower() in VIDEOS:
            yield _recording(path.relative_to(root).as_posix(), str(path), fps)


def _recording(name: str, source: str, fps: float | None) -> ArchiveItem:
    file = Path(source)
    try:
        told = (file / VIDEO if is_session(file) else file).stat()
    except (OSError, ValueError):
        return ArchiveItem(name, source, fps, 0, 0)
    return ArchiveItem(name, source, fps, told.st_size, told.st_mtime_ns)

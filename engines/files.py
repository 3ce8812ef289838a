"""Writing files whole or not at all: a reader sees the old bytes or the new ones, never half."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Give an empty file beside ``file`` to write into; it takes the name ``file`` when the block ends.

    Two processes may write the same file. When the block fails, what was written is removed and ``file`` stays
    as it was. Folders are made. Raises OSError when the disk refuses.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{file.name}-", suffix=".partial", dir=file.parent)
    os.close(handle)  # Windows moves no open file
    partial = Path(name)
    try:
        partial.chmod(0o644)  # mkstemp makes it private
        yield partial
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def write_atomically(file: Path, data: bytes) -> None:
    """Write ``data`` by `whole`."""
    with whole(file) as partial:
        partial.write_bytes(data)


def write_json(file: Path, content: Any) -> None:
    """Write ``content`` as indented JSON by `whole`; ValueError for NaN and infinity, which JSON lacks."""
    write_atomically(file, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())

"""session.json: written when the recording begins, and completed when it ends."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from mer_live.engines.files import write_json
from mer_live.realtime.session.layout import FORMAT, INFO


def write_info(folder: Path, info: dict[str, Any], *, complete: bool = False) -> None:
    """Write it whole or not at all. Raises OSError."""
    write_json(folder / INFO, {"format": FORMAT, "complete": complete, **info})


def finish_info(folder: Path, info: dict[str, Any]) -> None:
    """Add the files' sha256 and call the session complete. Raises OSError."""
    sums = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith(INFO):
            with path.open("rb") as file:
                sums[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    write_info(folder, {**info, "sha256": sums}, complete=True)

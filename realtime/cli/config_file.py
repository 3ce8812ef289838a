"""``--config FILE.toml``: every option of the command by its own name, and the same text printed from a run."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def read_config(path: Path, known: Iterable[str]) -> dict[str, Any]:
    """Read options: keys are those of the command line, with - or _.

    Args:
        path: a TOML file without tables.
        known: names of the command's parameters, with _.

    Returns:
        Values by parameter; a list for an option that may be repeated.

    Raises:
        ValueError: one sentence: no such file, no TOML, or an unknown key with the nearest name there is.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"--config {path} cannot be read: {error}.") from error
    names = sorted(known)
    found = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = (
                f"did you mean {near[0].replace('_', '-')}?" if near else "mer-live --show-config lists all."
            )
            raise ValueError(f"--config {path} has an unknown option {key!r}: {hint}")
        found[name] = value
    return found


def show_config(options: Mapping[str, Any]) -> str:
    """``options`` as TOML that `read_config` reads; those that are not set stand behind a #."""
    lines = []
    for name, value in options.items():
        key = name.replace("_", "-")
        if value is None or value == []:
            lines.append(f"# {key} =")
        else:
            plain = str(value) if isinstance(value, Path) else value
            lines.append(f"{key} = {json.dumps(plain, ensure_ascii=False)}")
    return "\n".join(lines)

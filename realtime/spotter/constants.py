"""What the spotter's coefficients depend on: named in their file, and checked when they are loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from mer_live.realtime.face import crop
from mer_live.realtime.motion import meter, regions
from mer_live.realtime.spotter import (
    context,
    evidence,
    hypothesis,
    matched,
    parallax,
    pattern,
    pulses,
    reader,
    signals,
    speaking,
)

_MODULES = (
    crop,
    regions,
    meter,
    signals,
    pulses,
    reader,
    matched,
    parallax,
    speaking,
    context,
    pattern,
    evidence,
    hypothesis,
)
"""What a network reads comes out of these; a file comes after those that it imports from."""
_LONGEST = 100
"""Characters of a value that is written down; of a longer one, a hash."""


@cache
def constants() -> dict[str, Any]:
    """ "file.NAME" -> value of every constant that what the networks read depends on, as JSON has it."""
    found: dict[str, Any] = {}
    seen: set[tuple[str, str]] = set()
    for module in _MODULES:
        for name, value in sorted(vars(module).items()):
            if not name.isupper() or not isinstance(value, int | float | str | tuple | list):
                continue
            text = json.dumps(value)
            if (name, text) in seen and not name.startswith("_"):
                continue  # imported from a file before
            seen.add((name, text))
            short = len(text) <= _LONGEST
            said = json.loads(text) if short else f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}"
            found[f"{module.__name__.rpartition('.')[2]}.{name}"] = said
    return found


def check_constants(fitted: Mapping[str, Any]) -> None:
    """Raises ValueError, naming the first constant that is not what it was when the coefficients were fitted."""
    now = constants()
    for name in sorted({*fitted, *now}):
        if fitted.get(name) != now.get(name):
            raise ValueError(
                f"the spotter's coefficients were fitted with {name} = {fitted.get(name)}, and it is"
                f" {now.get(name)} now: set it back, or run mer-train fit-spotter"
            )

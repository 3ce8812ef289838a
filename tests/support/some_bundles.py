"""Bundles for tests that need any: the shipped ones, or small ones with random weights while there are none."""

from __future__ import annotations

import pytest

from mer_live.engines.bundle import list_bundles
from mer_live.realtime.config import BUNDLES


def some_bundles(count: int = 1) -> tuple[str, ...]:
    """Names or folders that ``load_bundle`` takes."""
    if set(BUNDLES) <= set(list_bundles()):
        return BUNDLES[:count]
    pytest.importorskip("torch", reason="no bundle is shipped, and random ones are exported with torch")
    from support.random_bundles import random_bundle

    return tuple(str(random_bundle(name).path) for name in BUNDLES[:count])

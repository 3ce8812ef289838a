"""How many inputs that nobody would make are drawn: 200 by ``make test``, 5,000 by ``make fuzz`` (MER_FUZZ)."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

CASES = int(os.environ.get("MER_FUZZ", "200"))
"""Over all tests of ``tests/fuzz``."""


def cases(share: float) -> settings:
    """Settings of one test, which draws this share (0..1) of all cases."""
    return settings(
        max_examples=max(1, round(share * CASES)),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )

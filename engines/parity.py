"""When two engines compute the same: one rule for export, engine building and the tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PARITY_ATOL = 2e-4
PARITY_RTOL = 1e-3
"""Allowed between float32 engines, per logit: PARITY_ATOL + PARITY_RTOL * |expected|."""


def parity_error(got: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Largest difference as a multiple of what is allowed: up to 1.0 is fine. NaN counts as infinite."""
    if got.shape != expected.shape:
        raise ValueError(f"cannot compare {got.shape} with {expected.shape}")
    allowed = PARITY_ATOL + PARITY_RTOL * np.abs(expected)
    ratio = np.abs(got - expected) / allowed
    return float(np.nan_to_num(ratio, nan=np.inf).max(initial=0.0))

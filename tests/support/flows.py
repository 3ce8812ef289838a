"""What flow must obey."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mirrored_flow(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Flow of the left-right mirrored pair: (..., W, 2) flipped along W, x component negated."""
    return np.ascontiguousarray(flow[..., ::-1, :] * np.array([-1.0, 1.0], np.float32), dtype=np.float32)

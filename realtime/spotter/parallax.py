"""What the head's motion does to each region of this very face, learned while it moves and taken away."""

from __future__ import annotations

import cv2
import numpy as np

from mer_live.realtime.spotter.signals import Array, History

_LAG_NS = 160_000_000
_MEMORY_S = 4.0
_RIDGE_PX2 = 1.0
"""Head motion of less mean square than this over the lag teaches nothing."""
_CLIP_PX = 2.0
_RIDGE = _RIDGE_PX2 * np.eye(4)


class Parallax:
    """Regression of region displacements on head motion, forgetting within seconds.

    A rigid mean face explains a turning head only in part: noses differ, and a crop is no true projection.
    What is left goes with the head, so changes over 0.16 s are regressed on the head's changes (ridge, 4 s of
    memory) and the head's part of every further step is taken off. An expression moves without the head
    and stays.
    """

    def __init__(self, regions: int) -> None:
        self._regions = regions
        self.clear()

    def clear(self) -> None:
        """Forget the face."""
        n = 2 * self._regions
        self._hh = np.zeros((4, 4))
        self._vh = np.zeros((n, 4))
        self._path = np.zeros(4)
        self._corrected = np.zeros(n)
        self._last: Array | None = None
        self._past = History(self._regions + 2)

    def add(self, t_ns: int, values: Array, head_step: Array, dt_s: float) -> Array:
        """Take (R, 2) displacements and the head's (4,) step since the last frame; return them corrected."""
        flat = values.ravel()
        self._path = self._path + head_step
        if self._last is None:
            self._last = flat
            self._corrected = flat.copy()
        row = np.concatenate([flat, self._path])
        self._past.add(t_ns, row.reshape(-1, 2), 0, t_ns)
        before = self._past.at(t_ns - _LAG_NS).ravel()
        dv = np.minimum(np.maximum(flat - before[:-4], -_CLIP_PX), _CLIP_PX)
        dh = self._path - before[-4:]
        share = 1.0 - float(np.exp(-dt_s / _MEMORY_S))
        self._hh += share * (dh[:, None] * dh - self._hh)
        self._vh += share * (dv[:, None] * dh - self._vh)
        # The ridge regression's gain times the step; since the matrix is symmetric, one solution does.
        weights = cv2.solve(self._hh + _RIDGE, head_step[:, None], flags=cv2.DECOMP_CHOLESKY)[1][:, 0]
        self._corrected = self._corrected + (flat - self._last) - self._vh @ weights
        self._last = flat
        return self._corrected.reshape(self._regions, 2)

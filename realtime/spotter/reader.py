"""From Motion to what is judged: displacements without the head's part, the head's path, the lids' texture."""

from __future__ import annotations

import numpy as np

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.spotter.matched import ROWS
from mer_live.realtime.spotter.parallax import Parallax
from mer_live.realtime.spotter.signals import Array
from mer_live.realtime.types import Motion

_HEAD_PX = np.array([1.0, 1.0, 60.0, 60.0])
"""Motion.head to px at the edge of the face: roll and log scale times its radius."""
_LIDS = region("lid")


class Reader:
    """Motion -> (ROWS, 2) numbers: regions without the head's part, the head's path, the lids' texture."""

    def __init__(self) -> None:
        self._parallax = Parallax(len(REGIONS))
        self.clear()

    def clear(self) -> None:
        """Forget the face."""
        self._parallax.clear()
        self._last: Motion | None = None
        self._path = np.zeros(2)

    def read(self, motion: Motion) -> Array:
        """Take the next frame's motion."""
        last, self._last = self._last, motion
        step, dt_s = np.zeros(4), 0.0
        if last is not None:
            dt_s = (motion.t_ns - last.t_ns) * 1e-9
            if motion.anchor == last.anchor:
                step = (motion.head - last.head).astype(np.float64) * _HEAD_PX
        self._path = self._path + step[:2]
        rows = np.zeros((ROWS, 2))
        rows[: len(REGIONS)] = self._parallax.add(motion.t_ns, motion.regions.astype(np.float64), step, dt_s)
        rows[len(REGIONS)] = self._path
        # Ten values: Python's sort is quicker than an array's median.
        middle = sorted(motion.texture.tolist())[len(REGIONS) // 2]
        rows[-1, 0] = float(motion.texture[_LIDS].max()) / max(middle, 0.5)
        return rows

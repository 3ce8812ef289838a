"""From Motion to what is judged: head-free displacements, their smoothed history, a look every 20 ms."""

from __future__ import annotations

import numpy as np

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.spotter.matched import ROWS, Faces, MatchedFilter
from mer_live.realtime.spotter.parallax import Parallax
from mer_live.realtime.spotter.signals import Array, History, Smoother
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


class Watch:
    """The newest second of rows, and the matched filter on it. Pure: time arrives with the rows."""

    LOOK_NS = 16_000_000
    """Least time between two looks: every frame up to 60 fps, every fourth at 200 fps."""

    def __init__(self, faces: Faces) -> None:
        self.history = History(ROWS)
        self.filter = MatchedFilter(faces)
        self._smoother = Smoother()
        self.clear()

    def clear(self) -> None:
        """Forget the face."""
        self.history.clear()
        self.filter.clear()
        self._smoother.clear()
        self.age_s = 0.0
        """Since the face appeared."""
        self.now_ns = 0
        """The time that the newest smoothed row stands for."""
        self._first_ns: int | None = None
        self._looked_ns = 0

    def add(self, t_ns: int, rows: Array, index: int) -> bool:
        """Take (ROWS, 2) numbers of frame ``index``; whether it was time for a look."""
        if self._first_ns is None:
            self._first_ns = self._looked_ns = t_ns
        self.now_ns, smooth = self._smoother.add(t_ns, rows)
        self.history.add(self.now_ns, smooth, index, t_ns)
        self.age_s = (t_ns - self._first_ns) * 1e-9
        if t_ns - self._looked_ns < self.LOOK_NS:
            return False
        self.filter.look(self.history, self.now_ns, (t_ns - self._looked_ns) * 1e-9)
        self._looked_ns = t_ns
        return True

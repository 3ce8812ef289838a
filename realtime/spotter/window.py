"""The newest seconds of a face, and a look at them every 20 ms: what moves as an expression would, who speaks."""

from __future__ import annotations

from mer_live.realtime.spotter import speaking
from mer_live.realtime.spotter.context import Trail
from mer_live.realtime.spotter.matched import ROWS, Matched, MatchedFilter
from mer_live.realtime.spotter.reader import Reader
from mer_live.realtime.spotter.score import Scorer
from mer_live.realtime.spotter.signals import Array, History, Smoother
from mer_live.realtime.types import Motion

_SILENT = -3.0
"""Log odds of speaking of a face that has just appeared."""


class Window:
    """The newest seconds of rows, the matched filter on them and whether the face speaks. Time comes with the data."""

    LOOK_NS = 16_000_000
    """Least time between two looks: every frame up to 60 fps, every fourth at 200 fps."""

    def __init__(self, scorer: Scorer) -> None:
        self.history = History(ROWS)
        self.filter = MatchedFilter(scorer.faces)
        self.speaking = Trail()
        """Log odds that the face speaks, look by look."""
        self._scorer = scorer
        self._reader = Reader()
        self._smoother = Smoother()
        self.clear()

    def clear(self) -> None:
        """Forget the face."""
        self.history.clear()
        self.filter.clear()
        self.speaking.clear()
        self._reader.clear()
        self._smoother.clear()
        self.age_s = 0.0
        """Since the face appeared."""
        self.now_ns = 0
        """The time that the newest smoothed row stands for."""
        self.speech = _SILENT
        """The newest log odds of speaking."""
        self._first_ns: int | None = None
        self._looked_ns = 0

    def add(self, motion: Motion) -> bool:
        """Take the next frame's motion; whether it was time for a look."""
        return self.take(motion.t_ns, self._reader.read(motion), motion.index)

    def take(self, t_ns: int, rows: Array, index: int) -> bool:
        """Take (ROWS, 2) numbers of frame ``index``; whether it was time for a look."""
        if self._first_ns is None:
            self._first_ns = self._looked_ns = t_ns
        self.now_ns, smooth = self._smoother.add(t_ns, rows)
        self.history.add(self.now_ns, smooth, index, t_ns)
        self.age_s = (t_ns - self._first_ns) * 1e-9
        if t_ns - self._looked_ns < self.LOOK_NS:
            return False
        self.filter.step(self.history, self.now_ns, (t_ns - self._looked_ns) * 1e-9)
        self._looked_ns = t_ns
        self.speech = float(self._scorer.speech(speaking.features(self.filter.seen[-26:])[None])[0])
        self.speaking.add(self.now_ns, self.speech)
        return True

    def match(self) -> Matched:
        """What the newest look found."""
        return self.filter.match(self.speech)

"""What the picture does of itself: it stands still, comes several times, or is refreshed at its key frames.

A camera that has stopped, one that hands every picture over twice, and a recording whose encoder renews the picture
now and then look like rest or movement that is not the face's. They are told by how much shrunk crops differ from
one to the next. Time arrives with the crops; nothing here looks ahead or grows.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

PictureState = Literal["ok", "standing", "repeated", "pulsing"]

_SAME = 0.02
"""Mean gray levels: shrunk crops that differ by less are one picture. Sensors differ by 0.2 and more."""
_HELD_NS = 100_000_000
"""A picture that comes again within this time brings no news; afterwards the face is held to be at rest."""
_STANDING_NS = 500_000_000
_REPEATED = 0.3
"""Part of the newest frames, over about a second, that repeat the one before."""
_MEMORY_S = 0.5
_BLOCKS = 7
"""Blocks along a side of the crop; a refresh is seen in three quarters of them, a face moves in fewer."""
_REFRESH, _RETURN = 3.0, 1.5
"""Times the usual difference: at a key frame, and when it is over."""
_ECHO = 0.1
"""Part of a key frame's own difference by which the picture after it may differ: VP8 goes on refining what it sent."""
_LONGEST = 2
"""Frames of a refresh: VP8 goes back with the frame after its key frame."""
_LONGEST_AFTER_STAND = 6
"""The same where the picture stood before: the B-frames about a key frame show it as well, and a face that a camera
sees neither stands to the last bit nor begins to move all over at once."""
_FLOOR = 0.15
"""Gray levels added to the usual difference, since between key frames there may be none."""
_SHORTEST_NS = 200_000_000
"""Between key frames; what comes more often is a slow camera."""
_REGULAR = 0.08
"""By how much the distances between refreshes may differ, relative to one."""


class Picture:
    """Follows one stream of shrunk crops."""

    def __init__(self) -> None:
        self._difference = np.zeros((1, 1), np.uint8)
        self._refreshed: deque[int] = deque(maxlen=3)
        self.clear()

    def clear(self) -> None:
        """Forget the stream: a new face, or a gap."""
        self._refreshed.clear()
        self._new_ns = self._now_ns = self._pending_ns = 0
        self._jumps, self._jump = 0, 0.0
        self._stood = False
        self._usual = -1.0
        self._repeated = 0.0
        self.repeated = self.renewed = False

    @property
    def state(self) -> PictureState:
        """What the picture has been doing over the last second, or since its last key frames."""
        if self._pulsing:
            return "pulsing"
        if self._now_ns - self._new_ns >= _STANDING_NS:
            return "standing"
        return "repeated" if self._repeated >= _REPEATED else "ok"

    @property
    def _pulsing(self) -> bool:
        if len(self._refreshed) < 3:
            return False
        a, b, c = self._refreshed
        regular = c - b >= _SHORTEST_NS and abs((c - b) - (b - a)) <= _REGULAR * (b - a)
        return regular and self._now_ns - c < 1.5 * (c - b)

    def add(self, t_ns: int, before: NDArray[np.uint8], now: NDArray[np.uint8]) -> bool:
        """Compare a shrunk crop with the last that was new; whether it is that one again.

        ``repeated`` says afterwards whether it brings no news: the same picture again, and so soon that the face
        may have moved meanwhile. ``renewed`` says whether it is a key frame's: not the first one of its kind,
        changed all over the face, and so for two frames at most, or a few more after a picture that stood.
        """
        dt_s = (t_ns - self._now_ns) * 1e-9 if self._now_ns else 0.0
        self._now_ns = t_ns
        same = cv2.norm(before, now, cv2.NORM_L1) <= _SAME * now.size
        self.repeated, self.renewed = same and t_ns - self._new_ns < _HELD_NS, False
        self._repeated += (float(self.repeated) - self._repeated) * min(1.0, dt_s / _MEMORY_S)
        if same:
            self._stood = True
            self._returned(0.0)
            if not self.repeated:
                self._expect(0.0, dt_s)
            return True
        self._new_ns = t_ns
        if self._difference.shape != now.shape:
            self._difference = np.empty_like(now)
        cv2.absdiff(before, now, dst=self._difference)
        blocks = cv2.resize(
            self._difference.astype(np.float32), (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA
        )
        ranked = np.sort(blocks, axis=None)
        least, middle = float(ranked[len(ranked) // 4]), float(ranked[len(ranked) // 2])
        jumped = self._usual >= 0.0 and least > _REFRESH * self._usual + _FLOOR
        if jumped and self._jumps < (_LONGEST_AFTER_STAND if self._stood else _LONGEST):
            self._pending_ns = self._pending_ns or t_ns
            self._jumps, self._jump = self._jumps + 1, max(self._jump, middle)
            self.renewed = len(self._refreshed) > 0 and t_ns - self._refreshed[-1] >= _SHORTEST_NS
            return False
        self._stood = False
        if jumped:
            self._pending_ns = 0  # it goes on: a face that moves
        else:
            self._returned(middle)
        self._expect(middle, dt_s)
        return False

    def _expect(self, difference: float, dt_s: float) -> None:
        first = self._usual < 0.0
        self._usual = (
            difference if first else self._usual + (difference - self._usual) * min(1.0, dt_s / _MEMORY_S)
        )

    def _returned(self, difference: float) -> None:
        """A refresh is over at once; what goes on moving is something else."""
        if self._pending_ns and difference <= max(_RETURN * self._usual + _FLOOR, _ECHO * self._jump):
            self._refreshed.append(self._pending_ns)
        self._pending_ns = self._jumps = 0
        self._jump = 0.0

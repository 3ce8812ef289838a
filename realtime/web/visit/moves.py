"""Where the face moved in an event, and how much: for the arrows and the words of the page."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.motion.regions import MEMBERSHIP, REGIONS, points_of, region
from mer_live.realtime.path import Step
from mer_live.realtime.types import Motion, Span

_LIDS = region("lid")
_KEPT = 1024
"""Frames: 17 s at 60 fps, five at 200."""


@dataclass(frozen=True, slots=True)
class _Seen:
    t_ns: int
    regions: NDArray[np.float32]
    """(R, 2) crop px, as in Motion."""
    warp: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None
    person: int


class MoveTrail:
    """The regions' displacements of the newest frames. The worker writes it, the recogniser's thread reads it."""

    def __init__(self) -> None:
        self._zero_ns: int | None = None
        self._trail: deque[_Seen] = deque(maxlen=_KEPT)
        self._last: Motion | None = None
        self._lids = self._head_px_s = 0.0

    def add(self, t_ns: int, steps: Sequence[Step]) -> None:
        """Take what the frame at ``t_ns`` gave for each face."""
        if self._zero_ns is None:
            self._zero_ns = t_ns
        for step in steps:
            if (crop := step.crop) is not None and step.motion is not None:
                self._trail.append(_Seen(t_ns, step.motion.regions, crop.warp, crop.landmarks, crop.person))
        if steps[0].motion is not None:
            self._measure(steps[0].motion)

    def take_look(self) -> tuple[float, float]:
        """Since the last call: the largest change of the lids' picture against that of the other regions, and
        the head's largest speed, crop px a second."""
        look = self._lids, self._head_px_s
        self._lids = self._head_px_s = 0.0
        return look

    def _measure(self, motion: Motion) -> None:
        last, self._last = self._last, motion
        usual = float(np.median(motion.texture))
        self._lids = max(self._lids, float(motion.texture[_LIDS].max()) / max(usual, 0.5))
        if last is not None and last.anchor == motion.anchor and motion.t_ns > last.t_ns:
            way = float(np.hypot(*(motion.head[:2] - last.head[:2])))
            self._head_px_s = max(self._head_px_s, way / ((motion.t_ns - last.t_ns) * 1e-9))

    def moves(self, span: Span, person: int | None = None) -> list[dict[str, Any]]:
        """Each region's displacement from the onset to the apex of an event; empty once its frames are forgotten.

        Args:
            span: When it was.
            person: Whose event it is; None where only one face is followed.

        Returns:
            ``region``; ``x``, ``y``: its place, ``dx``, ``dy``: its way, ``px``: how long that is; all in px of
            the analysed frame.
        """
        seen, zero = [s for s in list(self._trail) if person in (None, s.person)], self._zero_ns
        if not seen or zero is None:
            return []
        onset, apex = (
            min(seen, key=lambda s, t=moment.t_ns + zero: abs(s.t_ns - t))  # type: ignore[misc]
            for moment in (span.onset, span.apex)
        )
        if abs(onset.t_ns - zero - span.onset.t_ns) > 100e6:
            return []
        back = np.linalg.inv(apex.warp[:, :2].astype(np.float64))
        points = points_of(apex.landmarks, 224)
        centres = (MEMBERSHIP @ points) / MEMBERSHIP.sum(axis=1, keepdims=True)  # (R, 2) crop px
        places = (centres - apex.warp[:, 2]) @ back.T
        ways = (apex.regions - onset.regions) @ back.T
        return [
            {
                "region": name,
                "x": round(float(x), 1),
                "y": round(float(y), 1),
                "dx": round(float(dx), 2),
                "dy": round(float(dy), 2),
                "px": round(float(np.hypot(dx, dy)), 2),
            }
            for name, (x, y), (dx, dy) in zip(REGIONS, places, ways, strict=True)
        ]

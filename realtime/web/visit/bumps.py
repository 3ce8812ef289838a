"""Why a larger bump on the curve was no event: pure, the times arrive with what was seen."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

Why = Literal["blink", "speech", "head", "long", "small"]

STANDS_OUT, LARGE = 3.0, 6.0
"""Times rest: from where a movement stands out, and from where its absence among the events is explained."""
_REST_S = 0.2
"""Below STANDS_OUT for this long, a bump has ended."""
_LATEST_S = 0.8
"""By then an event about it would have been told."""
_LONGEST_S = 0.8
_LIDS, _HEAD_PX_S = 15.0, 20.0


@dataclass(frozen=True, slots=True)
class CurveLook:
    """What was seen at one moment."""

    t_s: float
    level: float
    """Times rest."""
    lids: float
    """Change of the lids' picture against that of the face's other regions."""
    head_px_s: float
    """Speed of the head, crop px a second."""
    speaking: bool


@dataclass(frozen=True, slots=True)
class CurveBump:
    """A rise of the curve that was no event."""

    at_s: float
    """Where it was highest."""
    why: Why


class Bumps:
    """Feed every look in order, and every event; bumps come out when it is sure that they are none."""

    def __init__(self) -> None:
        self._rising: list[CurveLook] = []
        self._ended: deque[list[CurveLook]] = deque(maxlen=16)
        self._events: deque[tuple[float, float]] = deque(maxlen=16)

    def event(self, onset_s: float, offset_s: float | None) -> None:
        """An event was told; what it covers is not a bump."""
        self._events.append((onset_s, onset_s + 0.5 if offset_s is None else offset_s))

    def add(self, look: CurveLook) -> list[CurveBump]:
        """Take one look; the bumps that are decided by now."""
        if look.level >= STANDS_OUT:
            self._rising.append(look)
        elif self._rising and look.t_s - self._rising[-1].t_s > _REST_S:
            self._ended.append(self._rising)
            self._rising = []
        made = []
        while self._ended and look.t_s - self._ended[0][-1].t_s > _LATEST_S:
            bump = self._judge(self._ended.popleft())
            if bump is not None:
                made.append(bump)
        return made

    def _judge(self, looks: list[CurveLook]) -> CurveBump | None:
        first, last = looks[0].t_s, looks[-1].t_s
        top = max(looks, key=lambda look: look.level)
        if top.level < LARGE or any(
            onset < last + 0.1 and offset > first - 0.1 for onset, offset in self._events
        ):
            return None
        why: Why = "small"
        if max(look.lids for look in looks) > _LIDS:
            why = "blink"
        elif sum(look.speaking for look in looks) > len(looks) / 2:
            why = "speech"
        elif max(look.head_px_s for look in looks) > _HEAD_PX_S:
            why = "head"
        elif last - first > _LONGEST_S:
            why = "long"
        return CurveBump(top.t_s, why)

"""What a user may choose of the spotter, and what it tells those who fit or draw its scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mer_live.realtime.spotter.signals import Array
from mer_live.realtime.types import Moment, Span


@dataclass(frozen=True, slots=True)
class SpotterConfig:
    """What a user may choose; rejects what is out of range."""

    sensitivity: float = 0.5
    """0..1: higher finds more and raises more false alarms. At 0.5 an event must be more likely than not."""
    warm_up_s: float = 0.6
    """After a face appears, before anything may be decided: the face must have been seen at rest or moving."""
    smallest_px: float = 0.15
    """Where the region that moved most has less than this mean displacement, nothing moved: that is noise of the
    measurement. Courses fitted to a face that an encoder holds still are a hundredth of it, and look like anything."""
    largest_px: float = 5.0
    """Mean displacement of a region, at a 224 px crop, beyond which a movement is no micro-expression."""
    longest_s: float = 0.6
    """From onset to offset: half a second, and what the estimate may be wrong by."""
    settle_s: float = 0.5
    """After its offset, how long a final event is watched before it is settled or withdrawn."""
    longest_fade_s: float = 1.8
    """From onset; a slow fade that has not ended by then is settled with an open end."""
    apart_s: float = 0.12
    """Least time between one event's offset and the next one's onset."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.sensitivity <= 1.0:
            raise ValueError(f"sensitivity must be between 0 and 1, not {self.sensitivity}")
        if not 0.0 <= self.smallest_px < self.largest_px:
            raise ValueError(
                f"smallest_px must be between 0 and largest_px, not {self.smallest_px} and {self.largest_px}"
            )

    @property
    def threshold(self) -> float:
        """Score that an event needs to be final, and to be settled."""
        return float(1.0 / (1.0 + np.exp(6.0 * (self.sensitivity - 0.5))))

    @property
    def provisional(self) -> float:
        """Score that a provisional event needs: a sixth of the odds, since half a movement tells less."""
        return self.threshold / (6.0 - 5.0 * self.threshold)


@dataclass(frozen=True, slots=True)
class Judged:
    """One scored candidate, for those who fit or draw the scores."""

    phase: Literal["apex", "final", "settled"]
    span: Span
    """Without an offset while it has only turned back."""
    features: Array
    score: float
    decided: Moment
    """The newest frame that was used."""

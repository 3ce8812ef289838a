"""Every default of the live path in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mer_live.engines.trt.file import Precision

Decide = Literal["provisional", "final", "settled"]
BUNDLES = ("madtn", "atnet", "mtm")
"""Whose probabilities are averaged unless others are asked for."""

MOST_FACES = 4
"""That one look for landmarks gives."""


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """How the live path is laid out. Sizes are fixed at start; nothing grows while it runs."""

    ring_s: float = 1.0
    """Time that the ring between capture and worker holds, ..."""
    ring_bytes: int = 64 << 20
    """... unless it would take more than this: 0.36 s at 640x480 and 200 fps. Very large pictures get the fewest
    places that a ring works with, which may be more."""
    behind_s: float | None = None
    """A live worker that has lagged this far for as long drops every second frame, at twice that two of three, and
    so on; None: only a full ring drops."""
    history_s: float = 1.5
    """How far back face crops are held for spots: 15 MB at 200 fps. The spotter looks back over a second."""
    history_bytes: int = 96 << 20
    """The most that they may take."""
    spot_queue: int = 8
    """Spots that may wait for the recogniser."""
    landmark_period_ms: int = 60
    """Time between two landmark detections; they cost 10-15 ms each, beside the path."""
    sensitivity: float = 0.5
    """0..1: higher finds more and raises more false alarms."""
    faces: int = 1
    """People followed at once, each with a path of its own."""
    macro: bool = False
    """Also tell of macro-expressions, of up to 4 s."""
    decide: Decide = "provisional"
    """From which state on an event is given out."""
    threads: int = 1
    """Threads of each engine."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N: where networks, and flow where the bundles permit it, are computed."""
    precision: Precision = "fp32"
    """Precision of the engines; only TensorRT computes in fp16."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.sensitivity <= 1.0:
            raise ValueError(f"Sensitivity must be between 0 and 1, not {self.sensitivity}.")
        if not 1 <= self.faces <= MOST_FACES:
            raise ValueError(f"faces is 1 to {MOST_FACES}, not {self.faces}.")
        if self.decide not in get_args(Decide):
            raise ValueError(f"decide is one of {', '.join(get_args(Decide))}, not {self.decide!r}.")
        if self.precision not in get_args(Precision):
            raise ValueError(f"--precision is {' or '.join(get_args(Precision))}, not {self.precision!r}.")
        for name in ("ring_bytes", "history_bytes", "spot_queue", "landmark_period_ms", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.behind_s is not None and not 0.0 < self.behind_s < 3600.0:
            raise ValueError(f"behind_s must be above 0 and under an hour, not {self.behind_s}.")
        for name in ("ring_s", "history_s"):
            if not 0.0 < getattr(self, name) < 3600.0:
                raise ValueError(f"{name} must be above 0 and under an hour, not {getattr(self, name)}.")

"""What moves between two crops: the row that ATNet reads, and the flow where the meter's points are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.specs import AdmSpec, FlowConfig


@dataclass(frozen=True, slots=True)
class FlowSpec:
    """A dense flow and the side that crops are shrunk to before it is taken."""

    flow: FlowConfig = field(default_factory=lambda: FlowConfig(preset="ultrafast"))
    flow_px: int = 112


class MotionStage(Protocol):
    """Dense flow from each crop to the next, for one face; knows the newest crop and nothing older.

    Convention: flow is (dx, dy) in px of the crop, from the previous crop to this one.
    """

    def restart(self, gray: NDArray[np.uint8]) -> None:
        """Begin anew with a crop (S, S)."""
        ...

    def rewarp(self, change: NDArray[np.float64]) -> None:
        """Move the newest crop into a new anchoring: ``change`` (2, 3) maps its px to those of the next crop."""
        ...

    def step(self, gray: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next crop.

        =========  =================  =============================================================
        gray       (S, S) uint8       the next crop
        points     (P, 2) float32     (x, y) in the newest crop, px; outside counts as on the edge
        returned   (P, 2) float32     flow at the points, px of the crop
        =========  =================  =============================================================
        """
        ...

    def row(self) -> NDArray[np.float32] | None:
        """(128,) ADM row of the newest ``step`` (engines.representation.adm), asked for once after each; None where
        none is wanted. Its numbers may come later (``later``). Between the two a device works while the caller tracks
        its points."""
        ...

    def later(self, do: Callable[[], None]) -> threading.Event | None:
        """Call ``do`` once every row so far has its numbers: at once (None), or in a thread of the stage's own, after
        which the event is set."""
        ...

    def close(self) -> None:
        """Free what the stage holds; a second call does nothing."""
        ...


class OpenStage(Protocol):
    """Makes a `MotionStage` for one face."""

    def __call__(self, size: int, tracked: FlowSpec, adm: AdmSpec | None) -> MotionStage:
        """``size``: S, side of the crops, px; ``tracked``: flow at the points; ``adm``: rows to make."""
        ...

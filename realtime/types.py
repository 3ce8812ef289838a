"""What travels along the data path: frozen dataclasses, units in the names, arrays read-only.

One clock: every ``t_ns`` is monotonic nanoseconds at capture for a camera, and the stream's own
presentation time for a file. Nothing downstream of the capture thread reads a clock to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CLASSES: tuple[str, str, str] = ("negative", "positive", "surprise")
"""What the shipped bundles decide between, in this order; a bundle of another scheme names its own."""


Phase = Literal["apex", "offset", "settled", "withdrawn"]
State = Literal["provisional", "final", "settled", "withdrawn"]
STATES: dict[Phase, State] = {
    "apex": "provisional",
    "offset": "final",
    "settled": "settled",
    "withdrawn": "withdrawn",
}
"""What an event is called after each decision about it."""
Kind = Literal["micro", "macro"]
"""Half a second at most, or longer (`lasting`); the latter only where they are asked for."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame and its time."""

    frame: int
    """Frame number at the source."""
    t_ns: int
    """Its time, nanoseconds."""

    def since(self, zero_ns: int) -> Moment:
        """The same moment on a clock that reads 0 at ``zero_ns``."""
        return Moment(self.frame, self.t_ns - zero_ns)


@dataclass(frozen=True, slots=True)
class Span:
    """When a movement happens: it leaves rest, is at its height, is back at rest."""

    onset: Moment
    apex: Moment
    offset: Moment | None
    """None until it is known."""

    @property
    def end(self) -> Moment:
        """The offset; while it is unknown, the apex."""
        return self.offset or self.apex

    def holds(self, t_ns: float) -> bool:
        """Whether a time lies inside, both ends counted."""
        return self.onset.t_ns <= t_ns <= self.end.t_ns

    def since(self, zero_ns: int) -> Span:
        """The same span on a clock that reads 0 at ``zero_ns``."""
        offset = None if self.offset is None else self.offset.since(zero_ns)
        return Span(self.onset.since(zero_ns), self.apex.since(zero_ns), offset)

    def to_json(self) -> dict[str, float | int | None]:
        """The six plain values that files hold: seconds to the microsecond, and frames."""
        parts = {"onset": self.onset, "apex": self.apex, "offset": self.offset}
        times = {f"{k}_s": None if m is None else round(m.t_ns / 1e9, 6) for k, m in parts.items()}
        return {**times, **{f"{k}_frame": None if m is None else m.frame for k, m in parts.items()}}


@dataclass(frozen=True, slots=True)
class Frame:
    """One camera frame as it lies in the ring."""

    index: int
    """Number of the frame at its source, from 0; a gap is a drop."""
    t_ns: int
    """Capture time, nanoseconds, monotonic."""
    image: NDArray[np.uint8]
    """(H, W, 3) BGR, read-only view into the ring."""
    stretch: int = 0
    """A change means that the frame cannot be compared with those before: a clock that was set, a pause, a picture
    of another size."""


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """The face of one frame, cut with a warp that holds still between head movements."""

    index: int
    t_ns: int
    gray: NDArray[np.uint8]
    """(S, S) gray 0..255, S = 224."""
    warp: NDArray[np.float32]
    """(2, 3) maps frame pixels (x, y, 1) to crop pixels."""
    landmarks: NDArray[np.float32] | None
    """(478, 2) (x, y) in crop pixels, as they were when the crop was anchored."""
    anchor: int
    """Number of the anchoring; it grows by one whenever the warp changes or the face returns."""
    person: int = 1
    """Whose face it is: 1, 2, ... in the order in which people were followed in this run."""


@dataclass(frozen=True, slots=True)
class Motion:
    """What the spotter sees of one frame; all displacements in px of the 224 px crop."""

    index: int
    t_ns: int
    anchor: int
    """As in FaceCrop: a change means that signals before it cannot be compared with those after."""
    regions: NDArray[np.float32]
    """(R, 2) mean displacement (x, y) of each region since the face appeared, head motion removed; continuous
    over re-anchorings."""
    speed: NDArray[np.float32]
    """(R, 2) mean displacement of each region since the previous frame, head motion removed."""
    texture: NDArray[np.float32]
    """(R,) mean absolute gray difference to the reference crop per region after alignment, 0..255."""
    head: NDArray[np.float32]
    """(4,) head motion that was removed, since the anchor: x px, y px, roll rad, log scale."""
    adm: NDArray[np.float32] | None
    """(128,) ADM row of the flow from the previous frame (engines.representation), whose numbers may come a little
    later (`MotionStage.later`); None for the first crop, and where no bundle wants any."""
    repeated: bool = False
    """The camera handed the last picture over again: nothing is known of the time since."""

    @property
    def finite(self) -> bool:
        """Whether all that is judged is a number: a sum with NaN or infinity in it is none."""
        return isfinite(float(self.regions.sum()) + float(self.texture.sum()) + float(self.head.sum()))


@dataclass(frozen=True, slots=True)
class Spot:
    """A decision of the spotter about one candidate movement."""

    id: int
    """Number of the candidate, from 1; all its decisions share it."""
    phase: Phase
    """apex: provisional; offset: final; settled: what followed has confirmed it; withdrawn: it has not."""
    span: Span
    score: float
    """Calibrated probability, 0..1, that this is a micro-expression; 1 of a macro-expression, which rules find."""
    decided: Moment
    """The newest frame that the decision used."""
    reason: str = ""
    """Why a candidate was withdrawn ('speech', 'blink', 'head moved', ...), or why it has no offset: 'fades slowly'."""
    kind: Kind = "micro"


@dataclass(frozen=True, slots=True)
class Speaking:
    """A time in which the face spoke; told when it begins and again when it has ended."""

    start_ns: int
    end_ns: int | None
    """None while it goes on."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What somebody or something marked from outside while the run lasted."""

    t_ns: int
    """From the first frame's capture."""
    text: str
    """One line."""
    by: str
    """Where it came from: key, http, page or lsl."""

    def to_json(self) -> dict[str, str | float]:
        """The documented object (events.schema.json); its time as those of events, s."""
        return {"type": "marker", "t_s": round(self.t_ns / 1e9, 6), "text": self.text, "by": self.by}


@dataclass(frozen=True, slots=True)
class Face:
    """Whose movement it is."""

    id: int
    """1, 2, ... in the order in which people were followed in this run; it means nothing beyond it."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom of the crop in the frame, px."""


@dataclass(frozen=True, slots=True)
class Event:
    """A named micro-expression, as the sinks write it; all times count from the first frame's capture."""

    id: int
    revision: int
    """1, 2, ... for one id; the last one counts."""
    state: State
    label: str
    probs: NDArray[np.float32]
    """(C,) in the order of ``classes``, sums to 1."""
    score: float
    """As in Spot."""
    span: Span
    decided: Moment
    """The newest frame that was used."""
    compute_ns: int
    """From the decision to the emission, on the monotonic clock."""
    stages_ns: tuple[tuple[str, int], ...]
    """(stage, nanoseconds) parts of compute_ns; they sum to it."""
    engine: str
    """Bundle names joined by '+'."""
    backend: str
    reason: str = ""
    """Why it was withdrawn."""
    face: Face | None = None
    """None where none was in view when it was decided."""
    source: str | None = None
    """Which source it was seen by, where a run has several; ids count within a source."""
    classes: tuple[str, ...] = CLASSES
    """What it was decided between."""
    kind: Kind = "micro"

    @property
    def delay_ns(self) -> int:
        """Decision delay: decided minus apex while the offset is unknown, else minus offset."""
        return self.decided.t_ns - self.span.end.t_ns

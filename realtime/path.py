"""What happens to a frame: face crop, motion, decisions. One object a face; no thread, no clock, no I/O.

``FacePath.step`` is the way of every frame: of the live pipeline, of training's spotted clips, of the fit of the
spotter and of every benchmark.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.specs import AdmSpec
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.face.detection import InlineLandmarks, Landmarks
from mer_live.realtime.face.finder import FaceFinder
from mer_live.realtime.face.recorded import FaceTrack, RecordedTracker
from mer_live.realtime.face.tracker import FaceTracker
from mer_live.realtime.history import CropHistory, LooksAt
from mer_live.realtime.lasting import LONGEST_NS, Lasting
from mer_live.realtime.motion.cpu import CpuStage
from mer_live.realtime.motion.meter import MotionMeter
from mer_live.realtime.motion.picture import PictureState
from mer_live.realtime.motion.stage import OpenStage
from mer_live.realtime.spotter.config import SpotterConfig
from mer_live.realtime.spotter.spotter import Spotter
from mer_live.realtime.types import Face, FaceCrop, Frame, Motion, Speaking, Spot

_SAME_NS = 250_000_000
"""Two movements that set out nearer to each other are one."""
Mark = Callable[[str], None]
"""Called with the name of a stage when it is through: a caller with a clock can time it."""


@dataclass(frozen=True, slots=True)
class Spotted:
    """A decision with what the engines need for it."""

    spot: Spot
    clip: Clip | None
    """Crops from the onset to the newest frame. None where the decision is not about a picture (settled,
    withdrawn), and where its frames are no longer held: then it is withdrawn."""
    face: Face | None = None
    whole: threading.Event | None = None
    """Set when the clip's ADM rows are there; None: they are."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one frame gave."""

    crop: FaceCrop | None
    """None while there is no face to analyse; `FacePath.tracker`.status says why."""
    motion: Motion | None
    spotted: tuple[Spotted, ...] = ()
    speaking: tuple[Speaking, ...] = ()
    """Times of speech that have begun or ended."""
    torn: bool = False
    """The frame was overwritten while it was read: nothing was taken from it. What it ended is told all the same."""


class FacePath:
    """Takes the frames of one face in order, in one thread; a context manager, since it holds a landmarker.

    Args:
        config: defaults of the live path.
        adm: ADM rows that the clips carry (`Recognizer.adm`); None makes none. What is spotted never depends on it.
        deterministic: of recordings: landmarks take effect at times that the frames' own times decide, so the
            same frames give the same decisions. A live path takes the newest answer there is.
        open_landmarks: opens what finds landmarks; the default works in the caller's thread.
        spotter: other than one with the shipped coefficients.
        track: where the face is, of a recorded session: nothing is sought then.
        beside: the path of another face in the same pictures, with whom it shares the search for faces and the
            numbering of decisions; ``deterministic`` and ``open_landmarks`` are then those of that path.
        mark: called after the stages "crop", "motion" and "spotter".
        stage: makes what computes flow and ADM rows (`Recognizer.open_stage`).
        looks_at: which crops of a clip are wanted (`Recognizer.looks_at`); None: all.

    Raises:
        LandmarkerError: (on entering) the face model cannot run; the message says what to do.
    """

    def __init__(
        self,
        config: LiveConfig | None = None,
        *,
        adm: AdmSpec | None = None,
        deterministic: bool = True,
        open_landmarks: Callable[[], Landmarks] = InlineLandmarks,
        spotter: Spotter | None = None,
        track: FaceTrack | None = None,
        beside: FacePath | None = None,
        mark: Mark | None = None,
        stage: OpenStage = CpuStage,
        looks_at: LooksAt | None = None,
    ) -> None:
        config = config or LiveConfig()
        if track is not None:
            self.tracker: FaceTracker = RecordedTracker(track)
        elif beside is not None:
            self.tracker = FaceTracker(beside.tracker.finder)
        else:
            period_ns = config.landmark_period_ms * 1_000_000
            finder = FaceFinder(period_ns, deterministic=deterministic, open_landmarks=open_landmarks)
            self.tracker = FaceTracker(finder)
        self.spotter: Spotter = spotter or Spotter(
            SpotterConfig(sensitivity=config.sensitivity), ids=None if beside is None else beside.spotter.ids
        )
        self.lost_spots = 0
        """Decisions whose frames were no longer held."""
        self._meter = MotionMeter(adm=adm, flow=self.spotter.flow, stage=stage)
        self._lasting = Lasting() if config.macro else None
        self._micro: Spot | None = None
        """The newest micro-expression that stands; what is told already is no macro-expression."""
        held_s = max(config.history_s, LONGEST_NS * 1e-9 + 0.5) if config.macro else config.history_s
        self._looks_at = looks_at
        self._history = CropHistory(held_s, config.history_bytes)
        self._crop: FaceCrop | None = None
        self._person = 0
        self._like: tuple[int, tuple[int, ...]] | None = None
        self._mark: Mark = mark or (lambda stage: None)

    @property
    def picture(self) -> PictureState:
        """Whether the picture stands still, comes several times or is renewed at key frames."""
        return self._meter.picture.state

    def __enter__(self) -> Self:
        self.tracker.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Free landmarker and motion stage; a second call does nothing."""
        self.tracker.close()
        self._meter.close()

    def step(self, frame: Frame, whole: Callable[[Frame], bool] | None = None) -> Step:
        """Take the next frame; it is read, never kept.

        Args:
            frame: (H, W, 3) uint8 BGR with its number and time.
            whole: asked once the picture has been read; False: it was overwritten meanwhile, and is passed over.

        Raises:
            ValueError: frames out of order of time.
        """
        begun = self._begin_anew(frame, "the recording jumped") if self._unlike_last(frame) else ()
        crop = self._crop = self.tracker.crop(frame, out=self._history.slot())
        if crop is not None and crop.person != self._person:
            begun += self._begin_anew(frame, "another person")
            self._person = crop.person
        if whole is not None and not whole(frame):
            return Step(None, None, begun, torn=True)
        self._mark("crop")
        motion = None
        if crop is not None:
            motion = self._meter.update(crop)
            self._history.commit(crop, motion)
        self._mark("motion")
        spots = self.spotter.update(motion, frame.t_ns)
        if self._lasting is not None:
            spots = [*spots, *self._macro(self._lasting, motion, spots)]
        self._mark("spotter")
        spotted = (*begun, *(self._with_clip(spot) for spot in spots))
        return Step(crop, motion, spotted, tuple(self.spotter.take_speaking()))

    def _macro(self, lasting: Lasting, motion: Motion | None, spots: Sequence[Spot]) -> list[Spot]:
        """A macro-expression that has just ended: final and settled at once, since nothing more is waited for."""
        for spot in spots:
            if spot.phase == "offset":
                self._micro = spot
            elif spot.phase == "withdrawn" and self._micro is not None and spot.id == self._micro.id:
                self._micro = None
        span = lasting.update(motion, self.spotter.speaking)
        if span is None or span.offset is None:
            return []
        if self._micro is not None and abs(self._micro.span.onset.t_ns - span.onset.t_ns) < _SAME_NS:
            return []
        final = Spot(next(self.spotter.ids), "offset", span, 1.0, span.offset, kind="macro")
        return [final, replace(final, phase="settled")]

    def _unlike_last(self, frame: Frame) -> bool:
        now = (frame.stretch, frame.image.shape)
        before, self._like = self._like, now
        return before is not None and before != now

    def _begin_anew(self, frame: Frame, why: str) -> tuple[Spotted, ...]:
        """The frame cannot be compared with those before: every part forgets them, as the tracker does by itself."""
        self._meter.restart()
        if self._lasting is not None:
            self._lasting.update(None, 0.0)
        open_ones = self.spotter.update(None, frame.t_ns)
        return tuple(Spotted(replace(spot, reason=why), None) for spot in open_ones)

    def finish(self) -> tuple[Spotted, ...]:
        """End of the stream: decisions about what is still open."""
        return tuple(self._with_clip(spot) for spot in self.spotter.finish())

    def _with_clip(self, spot: Spot) -> Spotted:
        if spot.phase not in ("apex", "offset"):
            return Spotted(spot, None, self._face())
        whole: list[threading.Event | None] = [None]

        def later(copy: Callable[[], None]) -> None:
            whole[0] = self._meter.later(copy)

        clip = self._history.clip(spot, self._looks_at, later)
        if clip is None:
            self.lost_spots += 1
            spot = replace(spot, phase="withdrawn", reason="frames no longer held")
        return Spotted(spot, clip, self._face(), whole[0])

    def _face(self) -> Face | None:
        crop = self._crop
        if crop is None:
            return None
        last = len(crop.gray) - 1
        corners = np.array([[0, 0], [last, 0], [0, last], [last, last]], np.float64) - crop.warp[:, 2]
        placed = corners @ np.linalg.inv(crop.warp[:, :2]).T
        (left, top), (right, bottom) = np.rint(placed.min(axis=0)), np.rint(placed.max(axis=0))
        return Face(crop.person, (int(left), int(top), int(right), int(bottom)))

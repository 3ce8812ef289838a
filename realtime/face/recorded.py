"""Face crops as a recorded session knows them: no landmark is sought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.crop import Cropper
from mer_live.realtime.face.finder import FaceFinder
from mer_live.realtime.face.tracker import FaceTracker
from mer_live.realtime.types import FaceCrop, Frame


@dataclass(frozen=True, slots=True)
class Anchoring:
    """What stays the same from one anchoring of the crop to the next."""

    warp: NDArray[np.float32]
    """(2, 3) frame px -> crop px."""
    landmarks: NDArray[np.float32]
    """(478, 2) crop px."""
    person: int = 1
    """As in FaceCrop."""


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """Which anchoring cut the crop of which frame."""

    index: NDArray[np.int64]
    """(T,) frame numbers, rising."""
    anchor: NDArray[np.int64]
    """(T,) number of the anchoring; 0 without a face."""
    anchorings: Mapping[int, Anchoring]
    cropped: bool
    """The frames are the crops already."""


class RecordedTracker(FaceTracker):
    """Cuts the same crops again, bit for bit, whatever the landmarks' thread was doing at the time."""

    def __init__(self, track: FaceTrack) -> None:
        super().__init__(FaceFinder(deterministic=True))
        self._track = track
        self._now = 0
        self._cut: Cropper | None = None

    @property
    def anchor(self) -> int:
        """Number of the anchoring in use."""
        return self._now

    def open(self) -> None:
        """Nothing to load."""

    def crop(self, frame: Frame, out: NDArray[np.uint8] | None = None) -> FaceCrop | None:
        """As `FaceTracker.crop`; frames that are not in the track have no face."""
        at = int(np.searchsorted(self._track.index, frame.index))
        known = at < len(self._track.index) and self._track.index[at] == frame.index
        anchor = int(self._track.anchor[at]) if known else 0
        anchoring = self._track.anchorings.get(anchor)
        self.status = "none" if anchoring is None else "ok"
        if anchoring is None:
            return None
        if self._track.cropped:
            gray = np.empty(frame.image.shape[:2], np.uint8) if out is None else out
            np.copyto(gray, frame.image[:, :, 0])
        else:
            if self._cut is None or anchor != self._now or self._cut.frame_shape != frame.image.shape:
                self._cut = Cropper(anchoring.warp, frame.image.shape[0], frame.image.shape[1], self.size)
            gray = self._cut.apply(frame.image, out)
        self._now = anchor
        gray = gray.view()
        gray.flags.writeable = False
        return FaceCrop(
            frame.index, frame.t_ns, gray, anchoring.warp, anchoring.landmarks, anchor, anchoring.person
        )

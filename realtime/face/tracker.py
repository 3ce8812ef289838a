"""Face tracking: landmarks at their own pace beside the path -> for every frame a crop that holds still."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.anchor import AnchorConfig, AnchorPolicy
from mer_live.realtime.face.crop import CROP_SIZE, Cropper, warp_points
from mer_live.realtime.face.finder import FaceFinder
from mer_live.realtime.face.followed import MIN_FACE_PX, Followed
from mer_live.realtime.types import FaceCrop, Frame


class FaceTracker(Followed):
    """Cuts one face out of every frame; a context manager.

    Args:
        finder: what tells it where the face is; trackers of one finder follow a face each.
        size: S, side of the crops, pixels.
        min_face_px: narrower faces are reported as "small" and not analysed.
        anchor: thresholds of the crop's hold on the head.
    """

    def __init__(
        self,
        finder: FaceFinder,
        size: int = CROP_SIZE,
        min_face_px: float = MIN_FACE_PX,
        anchor: AnchorConfig | None = None,
    ) -> None:
        super().__init__(AnchorPolicy(anchor, size), min_face_px)
        self.size = size
        self.finder = finder
        finder.places.append(self)
        self._cropper: Cropper | None = None
        self._cropper_anchor = 0
        self._crop_landmarks: NDArray[np.float32] | None = None

    def open(self) -> None:
        """Load the landmarker; takes a second the first time. Raises LandmarkerError where it cannot run."""
        self.finder.open()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the landmarker; a second call does nothing."""
        self.finder.close()

    @property
    def anchor(self) -> int:
        """Number of anchorings so far."""
        return self.policy.anchor

    def crop(self, frame: Frame, out: NDArray[np.uint8] | None = None) -> FaceCrop | None:
        """Crop one frame; call it for every frame, in order, from one thread.

        Args:
            frame: read, never kept: the ring may overwrite it after the call.
            out: (S, S) contiguous uint8 that receives the crop. The caller owns it, and ``gray`` is a
                read-only view of it; without it ``gray`` is new memory.

        Returns:
            None while there is no face to analyse; `status` says why.
        """
        self.finder.step(frame)
        warp, landmarks = self.policy.warp, self.policy.landmarks
        if warp is None or landmarks is None:
            return None
        cropper = self._cropper
        if cropper is None or self._cropper_anchor != self.anchor or cropper.frame_shape != frame.image.shape:
            height, width = frame.image.shape[:2]
            cropper = self._cropper = Cropper(warp, height, width, self.size)
            self._cropper_anchor = self.anchor
            self._crop_landmarks = warp_points(warp, landmarks)
            self._crop_landmarks.flags.writeable = False
            warp.flags.writeable = False
        gray = cropper.apply(frame.image, out).view()
        gray.flags.writeable = False
        return FaceCrop(frame.index, frame.t_ns, gray, warp, self._crop_landmarks, self.anchor, self.person)

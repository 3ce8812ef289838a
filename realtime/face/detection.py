"""Landmarks of one image after the other: what a tracker asks for, and the answer in the caller's own thread."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.landmarks import FaceDetection, Landmarker
from mer_live.realtime.face.search import Look, Region

_log = logging.getLogger(__name__)
_LONGEST_PX = 1920
"""Side of what is looked at; larger is shrunk. A face is then still large: the detector sees none under an eighth."""


class Detector(Protocol):
    """What is needed of a landmarker."""

    def detect_rgb(self, image_rgb: NDArray[np.uint8]) -> tuple[FaceDetection, ...]:
        """Find the faces of a (H, W, 3) RGB image."""
        ...

    def confirm(self, image_rgb: NDArray[np.uint8], face: FaceDetection) -> FaceDetection:
        """Look at a face of the image once more and mark a false one, and one upside down."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


@dataclass(frozen=True, slots=True)
class Detection:
    """The answer to one submitted frame."""

    t_ns: int
    """Capture time of that frame."""
    faces: tuple[FaceDetection, ...] | None
    """None: the landmarker failed on it, also after a restart."""


class Landmarks(Protocol):
    """One image in, one answer out, never a queue."""

    def submit(
        self, image_bgr: NDArray[np.uint8], t_ns: int, look: Look | None = None, confirm: bool = False
    ) -> bool:
        """Copy a frame in, or what a look sees of it; False when busy. ``confirm``: faces are looked at twice."""
        ...

    def take(self, *, wait: bool) -> Detection | None:
        """The answer, once; None when there is none (yet, or with ``wait``: nothing was submitted)."""
        ...

    def close(self) -> None:
        """Free everything; a second call does nothing."""
        ...


class DetectionBuffer:
    """A landmarker with the memory of the image it works on; after a failure it is built anew.

    ``make`` builds the detector; the first one in the constructor, where a missing library raises.
    """

    def __init__(self, make: Callable[[], Detector] = Landmarker) -> None:
        self._make = make
        self._detector: Detector | None = make()
        self._memory: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._rgb: NDArray[np.uint8] = np.empty((0, 0, 3), np.uint8)  # a view of it
        self._origin: NDArray[np.float32] = np.zeros(2, np.float32)
        self._scale: NDArray[np.float32] = np.ones(2, np.float32)
        self._turned = self._confirm = False

    def fill(self, image_bgr: NDArray[np.uint8], look: Look | None, confirm: bool) -> None:
        """Copy a frame in, or only what a look sees of it."""
        height, width = image_bgr.shape[:2]
        (left, top, right, bottom), self._turned = look or (Region(0, 0, width, height), False)
        shrink = max(1.0, max(bottom - top, right - left) / _LONGEST_PX)
        shape = (round((bottom - top) / shrink), round((right - left) / shrink), 3)
        self._scale = np.array([(right - left) / shape[1], (bottom - top) / shape[0]], np.float32)
        if self._memory.size < np.prod(shape):
            self._memory = np.empty(int(np.prod(shape)), np.uint8)
        self._rgb = self._memory[: shape[0] * shape[1] * 3].reshape(shape)
        part = image_bgr[top:bottom, left:right]
        if shrink > 1:
            part = cv2.resize(part, shape[1::-1], dst=self._rgb, interpolation=cv2.INTER_AREA)
        cv2.cvtColor(part, cv2.COLOR_BGR2RGB, dst=self._rgb)
        if self._turned:
            self._rgb[:] = self._rgb[::-1, ::-1].copy()
        self._origin = np.array([left, top], np.float32)
        self._confirm = confirm

    def detect(self, t_ns: int) -> Detection:
        """Find the faces of what was copied in; after a failure once more with a new detector."""
        return Detection(t_ns, self._faces())

    def close(self) -> None:
        """Free the detector; a second call does nothing."""
        detector, self._detector = self._detector, None
        if detector is not None:
            detector.close()

    def _faces(self) -> tuple[FaceDetection, ...] | None:
        for _ in range(2):
            try:
                if self._detector is None:
                    self._detector = self._make()
                faces = self._detector.detect_rgb(self._rgb)
                if self._confirm:
                    faces = tuple(self._detector.confirm(self._rgb, face) for face in faces)
                return tuple(FaceDetection(self._in_frame(face.landmarks), face.doubt) for face in faces)
            except Exception:  # whatever a C++ graph raises must not end the path
                _log.warning("landmarks failed, restarting the landmarker", exc_info=True)
                with contextlib.suppress(Exception):
                    self.close()
                self._detector = None
        return None

    def _in_frame(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._turned:
            height, width = self._rgb.shape[:2]
            points = np.array([width - 1, height - 1], np.float32) - points
        return points * self._scale + self._origin


class InlineLandmarks:
    """`Landmarks` without a thread: ``submit`` takes as long as a detection does, 10 to 15 ms."""

    def __init__(self, make: Callable[[], Detector] = Landmarker) -> None:
        self._buffer = DetectionBuffer(make)
        self._done: Detection | None = None

    def submit(
        self, image_bgr: NDArray[np.uint8], t_ns: int, look: Look | None = None, confirm: bool = False
    ) -> bool:
        """Detect at once; False while the last answer was not taken."""
        if self._done is not None:
            return False
        self._buffer.fill(image_bgr, look, confirm)
        self._done = self._buffer.detect(t_ns)
        return True

    def take(self, *, wait: bool) -> Detection | None:
        """The answer, once; there is nothing to wait for."""
        done, self._done = self._done, None
        return done

    def close(self) -> None:
        """Free the landmarker."""
        self._buffer.close()

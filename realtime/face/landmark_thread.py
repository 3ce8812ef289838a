"""The landmarker's own thread: one image in, one answer out, beside the frame path."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.landmarks import FaceDetection, Landmarker
from mer_live.realtime.face.search import Region

_log = logging.getLogger(__name__)


class Detector(Protocol):
    """What the thread needs of a landmarker."""

    def detect_rgb(self, image_rgb: NDArray[np.uint8]) -> tuple[FaceDetection, ...]:
        """Find the faces of a (H, W, 3) RGB image."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


@dataclass(frozen=True, slots=True)
class Detection:
    """The thread's answer to one submitted frame."""

    t_ns: int
    """Capture time of that frame."""
    faces: tuple[FaceDetection, ...] | None
    """None: the landmarker failed on it, also after a restart."""
    took_ns: int


class LandmarkThread:
    """Runs a landmarker beside the frame path; one image in, one answer out, never a queue.

    ``make`` builds the detector and is called again after a failure. The thread works on its own copy of the
    image, so the caller may let the ring overwrite the frame as soon as `submit` returns.
    """

    def __init__(self, make: Callable[[], Detector] = Landmarker) -> None:
        self._make = make
        self._detector: Detector | None = make()  # in the caller's thread: a missing library raises there
        self._condition = threading.Condition()
        self._memory: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._rgb: NDArray[np.uint8] = np.empty((0, 0, 3), np.uint8)  # a view of it
        self._origin: NDArray[np.float32] = np.zeros(2, np.float32)
        self._t_ns: int | None = None
        self._done: Detection | None = None
        self._stop = False
        self.failures = 0
        self._thread = threading.Thread(target=self._work, name="landmarks", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """An image is being worked on, or its answer has not been taken."""
        return self._t_ns is not None or self._done is not None

    def submit(self, image_bgr: NDArray[np.uint8], t_ns: int, region: Region | None = None) -> bool:
        """Copy a frame in, or only a region of it; False when busy."""
        with self._condition:
            if self.busy or self._stop:
                return False
            left, top, right, bottom = region or (0, 0, image_bgr.shape[1], image_bgr.shape[0])
            if self._memory.size < image_bgr.size:
                self._memory = np.empty(image_bgr.size, np.uint8)
            shape = (bottom - top, right - left, 3)
            self._rgb = self._memory[: shape[0] * shape[1] * 3].reshape(shape)
            cv2.cvtColor(image_bgr[top:bottom, left:right], cv2.COLOR_BGR2RGB, dst=self._rgb)
            self._origin = np.array([left, top], np.float32)
            self._t_ns = t_ns
            self._condition.notify_all()
            return True

    def take(self, *, wait: bool) -> Detection | None:
        """The answer, once; None when there is none (yet, or with ``wait``: nothing was submitted)."""
        with self._condition:
            if wait:
                self._condition.wait_for(lambda: self._t_ns is None or self._stop)
            done, self._done = self._done, None
            return done

    def close(self) -> None:
        """Stop and join the thread."""
        with self._condition:
            self._stop = True
            self._condition.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._t_ns is not None or self._stop)
                if self._stop or self._t_ns is None:
                    break
                t_ns = self._t_ns
            begin = time.perf_counter_ns()
            faces = self._detect()
            took = time.perf_counter_ns() - begin
            with self._condition:
                self._done, self._t_ns = Detection(t_ns, faces, took), None
                self._condition.notify_all()
        if self._detector is not None:
            self._detector.close()

    def _detect(self) -> tuple[FaceDetection, ...] | None:
        """Detect; after a failure once more with a new detector."""
        for _ in range(2):
            try:
                if self._detector is None:
                    self._detector = self._make()
                faces = self._detector.detect_rgb(self._rgb)
                return tuple(FaceDetection(face.landmarks + self._origin) for face in faces)
            except Exception:  # whatever a C++ graph raises must not end the path
                self.failures += 1
                _log.warning("landmarks failed, restarting the landmarker", exc_info=True)
                broken, self._detector = self._detector, None
                if broken is not None:
                    with contextlib.suppress(Exception):
                        broken.close()
        return None

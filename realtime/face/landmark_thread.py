"""The landmarker's own thread: one image in, one answer out, beside the frame path."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.detection import Detection, DetectionBuffer, Detector
from mer_live.realtime.face.landmarks import Landmarker
from mer_live.realtime.face.search import Look


class LandmarkThread:
    """`Landmarks` beside the frame path; it works on its own copy of the image.

    So the caller may let the ring overwrite the frame as soon as `submit` returns. ``make`` builds the
    detector, the first one in the caller's thread: a missing library raises there.
    """

    def __init__(self, make: Callable[[], Detector] = Landmarker) -> None:
        self._buffer = DetectionBuffer(make)
        self._condition = threading.Condition()
        self._t_ns: int | None = None
        self._done: Detection | None = None
        self._stop = False
        self._thread = threading.Thread(target=self._work, name="landmarks", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """An image is being worked on, or its answer has not been taken."""
        return self._t_ns is not None or self._done is not None

    def submit(
        self, image_bgr: NDArray[np.uint8], t_ns: int, look: Look | None = None, confirm: bool = False
    ) -> bool:
        """Copy a frame in, or what a look sees of it; False when busy."""
        with self._condition:
            if self.busy or self._stop:
                return False
            self._buffer.fill(image_bgr, look, confirm)
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
        """Stop and join the thread; a second call does nothing."""
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
            done = self._buffer.detect(t_ns)
            with self._condition:
                self._done, self._t_ns = done, None
                self._condition.notify_all()
        self._buffer.close()

"""What every frame source is: a thread that fills a ring, stamps the time, and ends cleanly."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.clock import StartTime
from mer_live.realtime.face.recorded import FaceTrack
from mer_live.realtime.ring import FrameRing, RingClosedError
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.stamps import Stamps
from mer_live.realtime.types import Frame

logger = logging.getLogger(__name__)

_LONG_WAIT_NS = 1_000_000_000


class FrameSource(ABC):
    """An open source. ``start(ring)`` runs it on its own thread until the end, ``stop()`` or an error.

    A source implements ``fill`` and ``release``; pacing, time stamps, duration and errors live here.
    """

    def __init__(
        self,
        cfg: CameraConfig,
        *,
        size: tuple[int, int],
        recorded: bool,
        nominal_fps: float,
        description: str,
    ) -> None:
        self.cfg = cfg
        self.size = size
        """(width, height) of the newest frame, px."""
        self._most_px = size[0] * size[1]
        self.recorded = recorded
        """The frames exist already and carry their own times."""
        self.live = not recorded
        """Frames happen now: their times are the monotonic clock's."""
        self.waits = recorded and cfg.pace == "max"
        """It can wait for its readers, so its ring should block; otherwise what is not read is lost."""
        self.nominal_fps = nominal_fps
        """What the source claims; 0.0 if nothing."""
        self.description = description
        """One line for people."""
        self.error: Exception | None = None
        """Why the source ended, if not by itself; set before the ring is closed."""
        self.captured = 0
        """Frames published or yielded."""
        self.missing = 0
        """Frames that the numbers in the files' names tell of and that are not there."""
        self.number: int | None = None
        """The newest frame's own number at the source; None where frames are simply counted from 0."""
        self.stretch = 0
        """It grows where the newest frame cannot be compared with those before: a clock that was set, a pause."""
        self.faces: FaceTrack | None = None
        """Where the face is in each frame, of a source that knows."""
        self.began: StartTime | None = None
        """When its first frame was, of a recording that tells."""
        self.epoch_ns: int | None = None if recorded else 0
        """Monotonic clock at frame time 0, so that ``now - epoch_ns - t_ns`` is a frame's age; None for a
        recording that is read as fast as possible, and for a paced one before its first frame."""
        self.late_ns = 0
        """How long after its time the newest frame of a paced recording came."""
        self._stamps = Stamps()
        self._other: NDArray[np.uint8] | None = None
        self.resized = 0
        """Times that the newest frame was of another size than the one before."""
        self._halt = threading.Event()
        self._ring: FrameRing | None = None
        self._thread: threading.Thread | None = None

    @abstractmethod
    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        """Put the next frame into ``slot`` (H, W, 3) uint8 BGR and return its time, ns; None at the end.

        Sets ``number`` and ``stretch`` where the source knows them. Raises SourceError when the source died.
        """

    def release(self) -> None:  # noqa: B027  (memory has nothing to release)
        """Give the device or file back."""

    def show(self, image: NDArray[np.uint8], slot: NDArray[np.uint8]) -> None:
        """For ``fill``: put a frame into ``slot``, or hold it for a ring that is laid anew where its size changed.

        A picture that takes more memory than those at the start is made smaller.
        """
        height, width = image.shape[:2]
        shrink = min(1.0, (self._most_px / (height * width)) ** 0.5)
        shape = (max(1, int(height * shrink)), max(1, int(width * shrink)), 3)
        if shape != slot.shape:
            slot = self._other = np.empty(shape, np.uint8)
        place(image, slot)

    @property
    def measured_fps(self) -> float:
        """Rate of the last 2 s, from the frames' times; 0.0 before the second frame."""
        return self._stamps.recent_fps

    @property
    def mean_fps(self) -> float:
        """Rate since the start, from the frames' times; 0.0 before the second frame."""
        return self._stamps.mean_fps

    @property
    def nudged(self) -> int:
        """Frames whose time did not come after the one before and was moved to 1 us after it."""
        return self._stamps.nudged

    @property
    def hint(self) -> str | None:
        """What a person should know, or could do about a source that gives less than it should; else None."""
        return None

    @property
    def facts(self) -> dict[str, Any]:
        """What a report tells of the input besides counts and rates, ready for JSON."""
        return {}

    def frames(self) -> Iterator[Frame]:
        """Yield every frame in the caller's thread, without a ring; an image is valid until the next one.

        Raises SourceError when the source died. ``stop`` it when you leave early.
        """
        slot = np.empty((self.size[1], self.size[0], 3), np.uint8)
        count = 0
        while not self._halt.is_set() and (raw_ns := self.fill(slot)) is not None:
            if self._other is not None:
                slot, self._other = self._other, None
                self.resized += 1
            stretch = self.stretch + self.resized
            t_ns = self._stamps.add(raw_ns, stretch)
            if self._past_duration(t_ns):
                break
            self.captured += 1
            yield Frame(count if self.number is None else self.number, t_ns, slot, stretch)
            count += 1

    def start(self, ring: FrameRing) -> None:
        """Begin to write into ``ring``, which is closed at the end; RuntimeError when called twice."""
        width, height = self.size
        if ring.shape != (height, width, 3):
            raise ValueError(f"the ring holds {ring.shape}, but the source gives {(height, width, 3)}")
        if self._thread is not None:
            raise RuntimeError("a source runs once: open it again")
        self._ring = ring
        self._thread = threading.Thread(target=self._run, args=(ring,), name="capture", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End now: interrupts every wait and closes the ring; readers drain what is left."""
        self._halt.set()
        if self._ring is not None:
            self._ring.close()
        if self._thread is None:
            self.release()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread; whether it has ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return True

    def __enter__(self) -> Self:
        """Return the source itself; leaving the block stops and joins it."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop and join."""
        self.stop()
        self.join()

    def _run(self, ring: FrameRing) -> None:
        try:
            while not self._halt.is_set():
                slot = ring.slot()
                raw_ns = self.fill(slot)
                if raw_ns is None:
                    break
                if self._other is not None:
                    self._lay_anew(ring, self._other)
                stretch = self.stretch + self.resized
                t_ns = self._stamps.add(raw_ns, stretch)
                if self._past_duration(t_ns) or not self._await_time(t_ns):
                    break
                ring.commit(t_ns, self.number, stretch)
                self.captured += 1
        except RingClosedError:
            # stop(), or the pipeline has gone: nothing is wrong with the source.
            pass
        except SourceError as error:
            self.error = error
        except Exception as error:
            logger.exception("capture thread failed")
            self.error = error
        finally:
            try:
                self.release()
            finally:
                ring.close()

    def _lay_anew(self, ring: FrameRing, image: NDArray[np.uint8]) -> None:
        height, width = image.shape[:2]
        ring.lay(height, width)
        np.copyto(ring.slot(), image)
        self.size, self._other = (width, height), None
        self.resized += 1

    def _past_duration(self, t_ns: int) -> bool:
        limit = self.cfg.duration_s
        return limit is not None and t_ns - (self._stamps.first_ns or 0) >= round(limit * 1e9)

    def _await_time(self, t_ns: int) -> bool:
        """Hold a paced recording's frame until it is due; False when stopped meanwhile."""
        if self.live or self.waits:
            return not self._halt.is_set()
        if self.epoch_ns is None:
            self.epoch_ns = time.monotonic_ns() - t_ns
        wait_ns = self.epoch_ns + t_ns - time.monotonic_ns()
        if wait_ns > _LONG_WAIT_NS:
            logger.warning("the recording has a gap here: its next frame is due in %.1f s", wait_ns / 1e9)
        # A source that is late publishes at once and keeps its schedule, so it catches up by itself.
        self.late_ns = max(0, -wait_ns)
        return not (self._halt.wait(wait_ns / 1e9) if wait_ns > 0 else self._halt.is_set())


def place(image: NDArray[np.uint8] | NDArray[np.uint16], slot: NDArray[np.uint8]) -> None:
    """Put a frame of any size or depth into ``slot`` (H, W, 3) uint8.

    Gray becomes BGR, 16 bits become 8. Another size is scaled to fit with black borders, since a
    stretched face would change every displacement measured on it.
    """
    if image.dtype != np.uint8:
        image = cv2.convertScaleAbs(image, alpha=1 / 256)
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif image.shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    height, width = slot.shape[:2]
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        np.copyto(slot, image)
        return
    scale = min(width / columns, height / rows)
    fit_w, fit_h = max(1, round(columns * scale)), max(1, round(rows * scale))
    left, top = (width - fit_w) // 2, (height - fit_h) // 2
    slot.fill(0)
    slot[top : top + fit_h, left : left + fit_w] = cv2.resize(
        image, (fit_w, fit_h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )


def size_words(changes: int) -> str:
    """For people: how often the picture has changed its size."""
    return f"the picture changes its size {changes:,} time{'s' * (changes > 1)}: the analysis starts anew"

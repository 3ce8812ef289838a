"""Writes a session beside the analysis: its own threads, a reader of the ring that nobody waits for."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mer_live.realtime.clock import StartTime
from mer_live.realtime.face.crop import CROP_SIZE
from mer_live.realtime.face.landmarks import FaceDetection
from mer_live.realtime.ring import RingReader
from mer_live.realtime.session.blur import blur_faces
from mer_live.realtime.session.info import finish_info, write_info
from mer_live.realtime.session.journal import Journal
from mer_live.realtime.session.layout import VIDEO, RecordConfig
from mer_live.realtime.session.video_file import SessionVideo
from mer_live.realtime.types import Event, FaceCrop, Frame, Marker, Speaking

_log = logging.getLogger(__name__)
_MOST_CROPS = 64
"""Crops that may wait for the encoder."""
_SYNC_S = 1.0
_SIDES = (CROP_SIZE, CROP_SIZE)
_NO_FACE = np.empty((0, 0), np.uint8)


class EventWriter(Protocol):
    """Takes events; `JsonlSink` is one."""

    def started(self, start: StartTime) -> None:
        """Take when the first frame was."""

    def write(self, item: Event) -> None:
        """Take one."""

    def close(self) -> None:
        """Finish."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is recorded, as the running pipeline offers it."""

    reader: RingReader
    """Of the frames; closed by the recorder."""
    size: tuple[int, int]
    """(width, height) px."""
    fps: float
    """As the source claims it; 0.0 if it does not."""
    waits: bool
    """The source waits for its readers."""
    faces: Callable[[], Sequence[FaceDetection]]
    health: Callable[[], dict[str, Any]]


class Recorder:
    """Records one run. ``note`` and ``write`` are called by the pipeline's threads, and neither ever fails.

    ``start`` before the pipeline starts, ``finish`` after it has been joined. What disk or encoder do not take is
    counted in ``lost``; ``error`` ends the recording, never the analysis.
    """

    def __init__(self, config: RecordConfig, events: EventWriter, info: dict[str, Any]) -> None:
        """Write the first session.json. Raises OSError."""
        self.config = config
        self.recorded = 0
        """Frames in the video."""
        self.lost = 0
        """Frames that were not taken: the encoder was busy, or the picture's size changed."""
        self.error: OSError | None = None
        self._events = events
        self._info = info
        self._journal = Journal(config.folder)
        self._crops: deque[Frame] = deque()
        self._wake = threading.Condition()
        self._start: StartTime | None = None
        self._ended = False
        self._waits = False
        self._threads: tuple[threading.Thread, ...] = ()
        write_info(config.folder, info)

    def start(self, what: Recorded) -> None:
        """Begin to read. Raises OSError when the video cannot be opened."""
        size = _SIDES if self.config.codec == "crops" else what.size
        video = SessionVideo(self.config.folder / VIDEO, self.config.codec, size, what.fps)
        self._waits = what.waits
        self._threads = (
            threading.Thread(target=self._work, args=(what, video), name="mer-recorder"),
            threading.Thread(target=self._sync, args=(video,), name="mer-disk"),
        )
        for thread in self._threads:
            thread.start()

    def note(
        self, frame: Frame, crop: FaceCrop | None, level: float, speaking: Sequence[Speaking] = ()
    ) -> None:
        """Called by the worker with every frame that was analysed, and what was told of speech."""
        if self.error is not None:
            return
        self._journal.analysed(frame, crop, level, speaking)
        if self.config.codec != "crops":
            return
        with self._wake:
            if self._waits:
                self._wake.wait_for(lambda: len(self._crops) < _MOST_CROPS or self.error is not None)
            if len(self._crops) >= _MOST_CROPS:
                self.lost += crop is not None
                return
            # The crop's memory is used again in a few seconds; 50 KB are copied in some microseconds.
            gray = _NO_FACE if crop is None else crop.gray.copy()
            self._crops.append(Frame(frame.index, frame.t_ns, gray, frame.stretch))
            self._wake.notify_all()

    def write(self, item: Event) -> None:
        """Take an event."""
        if self.error is None:
            self._tell(lambda: self._events.write(item))

    def _tell(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            self.error = error

    def started(self, start: StartTime) -> None:
        """The first frame was then; the recorder's thread puts it into session.json."""
        self._start = start
        if self.error is None:
            self._tell(lambda: self._events.started(start))

    def mark(self, marker: Marker) -> None:
        """Take a marker."""
        if self.error is None:
            self._tell(lambda: self._journal.mark(marker.to_json()))

    def close(self) -> None:
        """There are no more events; see ``stop`` and ``finish``."""

    def stop(self) -> None:
        """Join the threads and close every file; a second call does nothing. What failed stands in ``error``."""
        with self._wake:
            self._ended = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()
        try:
            self._events.close()
            self._journal.close()
        except OSError as error:
            self.error = self.error or error

    def finish(self, start: StartTime, facts: dict[str, Any]) -> None:
        """Stop, and complete session.json: the session is whole. What failed stands in ``error``."""
        self.stop()
        try:
            if self.error is None:
                counts = {"recorded": self.recorded, "not_recorded": self.lost}
                finish_info(self.config.folder, {**self._info, "start": start.to_json(), **facts, **counts})
        except OSError as error:
            self.error = self.error or error

    # -- recorder's thread -----------------------------------------------------------------------

    def _work(self, what: Recorded, video: SessionVideo) -> None:
        next_ns, told = 0, False
        try:
            for frame in self._frames(what.reader):
                self._take(frame, what, video)
                if self._start is not None and not told:  # now: a power cut must not take it
                    write_info(self.config.folder, {**self._info, "start": self._start.to_json()})
                    told = True
                if frame.t_ns >= next_ns:
                    next_ns = frame.t_ns + 1_000_000_000
                    self._journal.health({"t_ns": frame.t_ns, **what.health(), "not_recorded": self.lost})
                self._journal.flush()
        except OSError as error:
            self._fail(error)
        except Exception as error:  # whatever the encoder raises must not end the analysis
            _log.debug("the recorder failed", exc_info=True)
            self._fail(OSError(f"the recording failed: {error}"))
        finally:
            try:
                video.close()
            except Exception as error:
                self._fail(OSError(f"{self.config.folder / VIDEO} could not be ended: {error}"))

    def _take(self, frame: Frame, what: Recorded, video: SessionVideo) -> None:
        image, crops = frame.image, self.config.codec == "crops"
        if image.shape[1::-1] != (_SIDES if crops else what.size):
            self.lost += not crops
            self._journal.pictured(frame, None)
            return
        if self.config.blurred:
            image = blur_faces(image, what.faces())
        picture = video.copy(image)
        if not crops and not what.reader.valid(frame):
            self.lost += 1
            return
        self._journal.pictured(frame, video.add(picture, frame.t_ns))
        self.recorded += 1

    def _frames(self, reader: RingReader) -> Iterator[Frame]:
        """Frames until the source ends, or crops until ``stop``."""
        with reader:
            while self.config.codec != "crops" and (frame := reader.read()) is not None:
                yield frame
        self.lost += reader.dropped
        while self.config.codec == "crops":
            with self._wake:
                self._wake.wait_for(lambda: bool(self._crops) or self._ended)
                if not self._crops:
                    return
                frame = self._crops.popleft()
                self._wake.notify_all()
            yield frame

    def _fail(self, error: OSError) -> None:
        with self._wake:
            self.error = self.error or error
            self._wake.notify_all()
        _log.warning("nothing more is recorded, the analysis goes on: %s", error)

    # -- disk thread -----------------------------------------------------------------------------

    def _sync(self, video: SessionVideo) -> None:
        """Once a second what was written is made to reach the disk; the recorder never waits for it."""
        while True:
            with self._wake:
                if self._wake.wait_for(lambda: self._ended or self.error is not None, _SYNC_S):
                    return
            try:
                for number in (video.fileno(), *self._journal.filenos()):
                    os.fsync(number)
            except (OSError, ValueError):
                return  # closed meanwhile; what fails to be written fails in the recorder too

"""One source through one data path: which thread does what. What happens to a frame stands in path.py.

source thread -> FrameRing -> worker (FacePath) -> SpotQueue -> recogniser -> sinks

The worker reads every frame; landmarks and ADM rows have a thread each beside it, recognition runs only on spots. A
live source never waits: what cannot be taken is dropped and counted. A file waits instead.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

from mer_live.realtime.clock import StartTime, start_time
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.face.followed import WHY
from mer_live.realtime.face.landmark_thread import LandmarkThread
from mer_live.realtime.face.tracker import FaceTracker
from mer_live.realtime.markers.marking import Marking
from mer_live.realtime.measured.figures import InputMeter
from mer_live.realtime.measured.stats import Counters
from mer_live.realtime.motion.picture import PictureState
from mer_live.realtime.path import FacePath, Step
from mer_live.realtime.recognition.naming import Naming
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.recognition.spot_queue import SpotQueue, Waiting
from mer_live.realtime.ring import FrameRing, RingReader
from mer_live.realtime.sinks.base import Sink
from mer_live.realtime.sinks.fan import SinkFan
from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.sources.config import SourceError
from mer_live.realtime.spotter.spotter import Spotter
from mer_live.realtime.types import Event, Frame

_log = logging.getLogger(__name__)
_LEAST_PLACES = 3
"""Of a live source's ring: one is filled, one is read, one waits. A source that waits needs two."""
_UNTOLD_FPS = 30.0
_LARGEST_RING = 256 << 20


class Pipeline:
    """Runs one source to its end, or until ``stop``; a context manager that owns the source and the sinks.

    Entering starts it, leaving ends every thread and closes source and sinks, whatever failed. ``join`` waits for
    the end; then ``counters``, ``events`` and ``error`` are settled. ``listen`` is called by the worker with each frame
    and what it gave for each face, before its decisions are handed over: it must be quick.

    Raises:
        SourceError: (constructor) pictures of this size do not fit into the memory that the ring may take.
        LandmarkerError: (on entering) the face model cannot run.
    """

    def __init__(
        self,
        source: FrameSource,
        recognizer: Recognizer,
        sinks: Sequence[Sink] = (),
        config: LiveConfig | None = None,
        listen: Callable[[Frame, Sequence[Step]], None] | None = None,
    ) -> None:
        config = config or LiveConfig()
        self._listen = listen
        self.source = source
        self.recognizer = recognizer
        self.counters = Counters()
        self.input = InputMeter()
        """What the input is like."""
        self.error: Exception | None = None
        """What ended the run early: an error of the source, of a sink, or of a stage."""
        self.began: StartTime | None = None
        """When the first frame was; the sinks are told the same."""
        self._ring = make_ring(source, config)
        self._reader = self._ring.reader(behind_s=None if source.waits else config.behind_s)
        self._lap_ns = 0
        self.paths = self._open_paths(config)
        """One for each face that is followed at once, in the order in which they were taken up."""
        self._sinks = SinkFan(sinks)
        self.marking = Marking(source, self.counters, self._sinks)
        """Takes markers from outside."""
        self._naming = Naming(recognizer, self._sinks, self.counters, config.decide)
        self._spots = SpotQueue(config.spot_queue, block=source.waits)
        self._peak_level = 0.0
        self._threads = (
            threading.Thread(target=self._guard, args=(self._work,), name="mer-worker"),
            threading.Thread(target=self._guard, args=(self._recognise,), name="mer-recogniser"),
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        self.join()

    def start(self) -> None:
        """Start the threads, then the source. What fails to start is raised; everything is closed then."""
        try:
            self.paths[0].tracker.open()  # takes a second: a live source must not run ahead of it
            for thread in self._threads:
                thread.start()
            self.source.start(self._ring)
        except BaseException:
            self._ring.close()
            self.stop()
            if self._threads[0].ident is None:
                for path in self.paths:
                    path.close()
            if self._threads[1].ident is None:
                self._close_sinks()
            else:
                self._spots.close()
            self.join()
            raise

    def stop(self) -> None:
        """Ask everything to end; returns at once. What has been decided is still emitted."""
        self.source.stop()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; True when everything has ended. Then ``error`` is settled."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        for thread in (one for one in self._threads if one.ident is not None):  # those that were started
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                return False
        self.source.join()
        self.error = self.error or self.source.error or self.marking.error
        return True

    def viewer(self, *, every: bool = False) -> RingReader:
        """A reader of the frames for one thread; close it. A live source never waits for it.

        A source that waits for the analysis waits for it only where it must see ``every`` frame.
        """
        return self._ring.reader(passive=not every)

    @property
    def events(self) -> OrderedDict[int, Event]:
        """Newest revision of each event by id, those withdrawn left out."""
        return self._naming.events

    @property
    def tracker(self) -> FaceTracker:
        """Where the first face is, for display."""
        return self.paths[0].tracker

    @property
    def spotter(self) -> Spotter:
        """What the first face's spotter is doing, for display."""
        return self.paths[0].spotter

    @property
    def picture(self) -> PictureState:
        """What the picture does of itself, for display."""
        return self.paths[0].picture

    @property
    def dropped(self) -> int:
        """Frames that were captured and not processed."""
        return self._reader.dropped + self.counters.torn

    @property
    def lost_spots(self) -> int:
        """Decisions that could not be recognised: frames no longer held, or too many at once."""
        return sum(path.lost_spots for path in self.paths) + self._spots.dropped

    def take_level(self) -> float:
        """Highest spotter level, in noise units, since the last call: one column of a sparkline."""
        level, self._peak_level = self._peak_level, 0.0
        return level

    # -- worker thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        count, paths = self.counters, self.paths
        try:
            while (frame := self._reader.read()) is not None:
                started = self._lap_ns = time.monotonic_ns()
                steps = [path.step(frame, self._reader.valid) for path in paths]
                decided = self._lap_ns
                if any(step.torn for step in steps):
                    count.torn += 1
                    self._hand_over(steps, decided)
                    continue
                if count.first_ns is None:
                    self.began = self.source.began or start_time(frame.t_ns, live=self.source.live)
                    # First, since whoever hears of the start may set a marker at once.
                    count.first_ns = count.newest_ns = frame.t_ns
                    self._sinks.started(self.began)
                count.newest_ns = frame.t_ns
                if self._listen is not None:
                    self._listen(frame, steps)
                self._hand_over(steps, decided)
                count.first_done_ns = count.first_done_ns or decided
                count.last_done_ns = decided
                if self.source.epoch_ns is not None:
                    count.age_ns = decided - self.source.epoch_ns - frame.t_ns
                count.rate.add(frame.t_ns)
                self.input.add(
                    frame.image, frame.t_ns, [step.crop for step in steps], WHY[self.tracker.status]
                )
                count.stages["frame"].add(time.monotonic_ns() - started)
                self._peak_level = max(self._peak_level, *(path.spotter.level for path in paths))
                count.processed += 1
            self._hand_over([Step(None, None, path.finish()) for path in paths], time.monotonic_ns())
        finally:
            for path in paths:
                path.close()
            self._reader.close()
            self._spots.close()

    def _open_paths(self, config: LiveConfig) -> tuple[FacePath, ...]:
        source = self.source
        if config.faces > 1 and source.faces is not None:
            one = "a session knows one face: give its video.mkv to follow more"
            raise SourceError(f"{source.description}: {one}")
        paths: list[FacePath] = []
        for _ in range(config.faces):
            paths.append(
                FacePath(
                    config,
                    adm=self.recognizer.adm,
                    deterministic=not source.live,
                    open_landmarks=LandmarkThread,
                    track=source.faces,
                    beside=paths[0] if paths else None,
                    mark=self._mark,
                    stage=partial(self.recognizer.open_stage, beside=True),
                    looks_at=self.recognizer.looks_at,
                )
            )
        return tuple(paths)

    def _mark(self, stage: str) -> None:
        now = time.monotonic_ns()
        self.counters.stages[stage].add(now - self._lap_ns)
        self._lap_ns = now

    def _hand_over(self, steps: Sequence[Step], decided_ns: int) -> None:
        for step in steps:
            for one in step.spotted:
                self._spots.put(Waiting(one.spot, one.clip, decided_ns, one.face, one.whole))

    # -- recogniser thread -----------------------------------------------------------------------

    def _recognise(self) -> None:
        try:
            while (item := self._spots.get()) is not None:
                self._naming.take(item)
        finally:
            self._close_sinks()

    def _close_sinks(self) -> None:
        try:
            self._sinks.close()
        except Exception as error:
            self.error = self.error or error

    # -- both threads ----------------------------------------------------------------------------

    def _guard(self, stage: Callable[[], None]) -> None:
        """Run a thread's function; an error ends the whole run and is kept for ``join``."""
        try:
            stage()
        except Exception as error:
            _log.debug("a stage of the live path failed", exc_info=True)
            self.error = self.error or error
            self.stop()
            self._reader.close()
            self._spots.close()


def make_ring(source: FrameSource, config: LiveConfig) -> FrameRing:
    """The ring for a source, by time and bytes. Raises SourceError where its pictures are too large."""
    width, height = source.size
    picture = width * height * 3
    least = 2 if source.waits else _LEAST_PLACES
    if least * picture > _LARGEST_RING:
        raise SourceError(
            f"{source.description}: {least} pictures of {width}x{height} take more than the "
            f"{_LARGEST_RING >> 20} MB that are set aside: choose a smaller size, or convert the recording"
        )
    wanted = math.ceil(config.ring_s * (source.nominal_fps or _UNTOLD_FPS))
    places = max(least, min(wanted, config.ring_bytes // picture))
    return FrameRing(places, height, width, block=source.waits)

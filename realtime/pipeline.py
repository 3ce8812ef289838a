"""The one data path, and the only owner of threads.

source thread -> FrameRing -> worker (crop, flow, signals, spotter) -> queue -> recogniser -> sinks

The worker reads every frame; landmarks run beside it (face.py), recognition only on spots. A live
source never waits: what cannot be taken is dropped and counted. A file waits instead.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mer_live.engines.representation.clip import Clip
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.face.tracker import FaceTracker
from mer_live.realtime.history import CropHistory
from mer_live.realtime.motion.meter import MotionMeter
from mer_live.realtime.recognizer import Recognizer
from mer_live.realtime.ring import FrameRing, RingReader
from mer_live.realtime.sinks import Sink
from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.spotter.spotter import Spotter, SpotterConfig
from mer_live.realtime.stats import Durations, Rate
from mer_live.realtime.types import CLASSES, Event, Spot, Withdrawal

_log = logging.getLogger(__name__)
_KEPT_EVENTS = 10_000
"""Events held for the report; older ones are in the sinks only, so memory stays flat."""

STAGES = ("crop", "motion", "spotter", "frame", "recognise", "emit")
"""Timed stages: the first three are parts of 'frame'; 'recognise' and 'emit' happen once a spot."""


@dataclass(slots=True)
class Counters:
    """What a run has done so far; written by the pipeline's threads, read by anybody."""

    processed: int = 0
    torn: int = 0
    """Frames that were overwritten while they were read; counted as dropped."""
    dropped_spots: int = 0
    first_ns: int | None = None
    """Capture time of the first frame: zero of all event times."""
    first_done_ns: int = 0
    last_done_ns: int = 0
    """Monotonic time when the first and the newest frame were through."""
    age_ns: int = 0
    """Capture -> processed of the newest frame; stays 0 for a file that is read as fast as possible."""
    rate: Rate = field(default_factory=Rate)
    """Frames a second by their capture times."""
    stages: dict[str, Durations] = field(default_factory=lambda: {name: Durations() for name in STAGES})
    delay: dict[str, Durations] = field(
        default_factory=lambda: {"provisional": Durations(), "final": Durations()}
    )
    compute: dict[str, Durations] = field(
        default_factory=lambda: {"provisional": Durations(), "final": Durations()}
    )


class Pipeline:
    """Runs one source to its end, or until ``stop``; start, join, then read ``counters`` and ``events``."""

    def __init__(
        self,
        source: FrameSource,
        recognizer: Recognizer,
        sinks: Sequence[Sink] = (),
        config: LiveConfig | None = None,
    ) -> None:
        config = config or LiveConfig()
        width, height = source.size
        self.source = source
        self.recognizer = recognizer
        self.counters = Counters()
        self.events: OrderedDict[int, Event] = OrderedDict()
        """Newest revision of each event by id."""
        self.error: Exception | None = None
        """What ended the run early: an error of the source, of a sink, or of a stage."""
        self.tracker = FaceTracker(
            period_ns=config.landmark_period_ms * 1_000_000, deterministic=not source.live
        )
        self.spotter = Spotter(SpotterConfig(sensitivity=config.sensitivity))
        self._sinks = tuple(sinks)
        self._ring = FrameRing(config.ring_frames, height, width, block=source.waits)
        self._reader = self._ring.reader()
        self._meter = MotionMeter(adm=recognizer.adm)
        self._history = CropHistory(config.history_frames)
        self._spots: queue.Queue[tuple[Spot, Clip | None, int] | None] = queue.Queue(config.spot_queue)
        self._stop = threading.Event()
        self._peak_level = 0.0
        self._threads = (
            threading.Thread(target=self._guard, args=(self._work,), name="mer-worker"),
            threading.Thread(target=self._guard, args=(self._recognise,), name="mer-recogniser"),
        )

    def start(self) -> None:
        """Start the threads, then the source.

        Raises LandmarkerError when the face model cannot run; nothing has been started then.
        """
        self.tracker.__enter__()  # takes a second: a live source must not run ahead of it
        for thread in self._threads:
            thread.start()
        self.source.start(self._ring)

    def stop(self) -> None:
        """Ask everything to end; returns at once. What has been decided is still emitted."""
        self._stop.set()
        self.source.stop()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; True when everything has ended. Then ``error`` is settled."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is None:  # never started
                continue
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                return False
        self.source.join()
        self.error = self.error or self.source.error
        return True

    def watch(self) -> RingReader:
        """A reader of the frames for one display thread, which never holds the source back; close it."""
        return self._ring.reader(passive=True)

    @property
    def dropped(self) -> int:
        """Frames that were captured and not processed."""
        return self._reader.dropped + self.counters.torn

    def take_level(self) -> float:
        """Highest spotter level, in noise units, since the last call: one column of a sparkline."""
        level, self._peak_level = self._peak_level, 0.0
        return level

    # -- worker thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        count, stages = self.counters, self.counters.stages
        try:
            while (frame := self._reader.read()) is not None:
                started = time.monotonic_ns()
                count.first_ns = frame.t_ns if count.first_ns is None else count.first_ns
                crop = self.tracker.crop(frame, out=self._history.slot())
                if not self._reader.valid(frame):  # overwritten while it was cut: a torn picture
                    count.torn += 1
                    continue
                cropped = time.monotonic_ns()
                motion = None if crop is None else self._meter.update(crop)
                if crop is not None and motion is not None:
                    self._history.commit(crop, motion)
                moved = time.monotonic_ns()
                spots = self.spotter.update(motion, frame.t_ns)
                decided = time.monotonic_ns()
                for spot in spots:
                    self._hand_over(spot, decided)
                count.first_done_ns = count.first_done_ns or decided
                count.last_done_ns = decided
                if self.source.epoch_ns is not None:
                    count.age_ns = decided - self.source.epoch_ns - frame.t_ns
                count.rate.add(frame.t_ns)
                stages["crop"].add(cropped - started)
                stages["motion"].add(moved - cropped)
                stages["spotter"].add(decided - moved)
                stages["frame"].add(time.monotonic_ns() - started)
                self._peak_level = max(self._peak_level, self.spotter.level)
                count.processed += 1
        finally:
            self.tracker.close()
            self._reader.close()
            self._spots.put(None)

    def _hand_over(self, spot: Spot, decided: int) -> None:
        clip = None if spot.phase == "withdrawn" else self._history.clip(spot)
        if spot.phase != "withdrawn" and clip is None:
            _log.warning("spot %d lies outside the crop history and is not recognised", spot.id)
            return
        item = (spot, clip, decided)
        if self.source.waits:
            self._spots.put(item)
            return
        while True:
            try:
                self._spots.put_nowait(item)
                return
            except queue.Full:
                self._spots.get_nowait()
                self.counters.dropped_spots += 1

    # -- recogniser thread -----------------------------------------------------------------------

    def _recognise(self) -> None:
        try:
            while (item := self._spots.get()) is not None:
                spot, clip, decided = item
                if clip is None:
                    self._withdraw(spot)
                else:
                    self._name(spot, clip, decided)
        finally:
            for sink in self._sinks:
                sink.close()

    def _name(self, spot: Spot, clip: Clip, decided: int) -> None:
        zero = self.counters.first_ns or 0
        known = self.events.get(spot.id)
        started = time.monotonic_ns()
        seen = self.recognizer.recognize(clip)
        done = time.monotonic_ns()
        stages = (("queue", started - decided), *seen.stages_ns)
        event = Event(
            id=spot.id,
            revision=1 if known is None else known.revision + 1,
            final=spot.offset is not None,
            label=CLASSES[int(seen.probs.argmax())],
            probs=seen.probs,
            score=spot.score,
            onset=spot.onset,
            apex=spot.apex,
            offset=spot.offset,
            onset_ns=spot.onset_ns - zero,
            apex_ns=spot.apex_ns - zero,
            offset_ns=None if spot.offset_ns is None else spot.offset_ns - zero,
            decided_ns=spot.decided_ns - zero,
            compute_ns=done - decided,
            stages_ns=(*stages, ("other", done - decided - sum(ns for _, ns in stages))),
            engine=self.recognizer.engine,
            backend=self.recognizer.backend,
        )
        self.events[event.id] = event
        if len(self.events) > _KEPT_EVENTS:
            self.events.popitem(last=False)
        kind = "final" if event.final else "provisional"
        self.counters.delay[kind].add(event.delay_ns)
        self.counters.compute[kind].add(event.compute_ns)
        self.counters.stages["recognise"].add(done - started)
        self._emit(event)

    def _withdraw(self, spot: Spot) -> None:
        known = self.events.pop(spot.id, None)
        if known is not None:  # else it was never announced
            zero = self.counters.first_ns or 0
            self._emit(Withdrawal(spot.id, known.revision + 1, spot.decided_ns - zero, spot.reason))

    def _emit(self, item: Event | Withdrawal) -> None:
        started = time.monotonic_ns()
        for sink in self._sinks:
            sink.write(item)
        self.counters.stages["emit"].add(time.monotonic_ns() - started)

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
            while stage == self._recognise and self._spots.get() is not None:
                pass  # the worker may be waiting for a place in the queue

"""A visitor who sends the own camera: one pipeline, fed by the visitor's track."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from mer_live.realtime.path import Step
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.recording import begin, end, open_recorder
from mer_live.realtime.session.layout import RecordConfig
from mer_live.realtime.session.recorder import Recorder
from mer_live.realtime.sinks import Sink
from mer_live.realtime.types import Frame
from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.media.gate import Gate, put_gate
from mer_live.realtime.web.media.jitter import hasten
from mer_live.realtime.web.media.track import TrackSource, analysed_size, now_ns
from mer_live.realtime.web.metrics import Metrics, SessionFigures
from mer_live.realtime.web.visit.audience import Audience
from mer_live.realtime.web.visit.connection import Connection
from mer_live.realtime.web.visit.health import Health
from mer_live.realtime.web.visit.messages import Offer
from mer_live.realtime.web.visit.outbox import Outbox

_log = logging.getLogger(__name__)
_JOIN_S = 5.0


class OwnCamera(Connection):
    """Analyses what the page sends; nothing of it is sent back, and nothing kept unless the visitor agrees."""

    mode = "own"
    sends_video = True

    def __init__(self, config: WebConfig, metrics: Metrics, recognizer: Recognizer) -> None:
        super().__init__(config, metrics)
        self._recognizer = recognizer
        self._audience = Audience(asyncio.get_running_loop(), metrics)
        self._source: TrackSource | None = None
        self._pipeline: Pipeline | None = None
        self._starting: asyncio.Future[Pipeline] | None = None
        self._announced: tuple[int, int] | None = None
        self._muted = False
        self._gate: Gate | None = None
        self._health = Health()
        self._folder: Path | None = None
        """Where the session is recorded: the visitor has agreed, and the server does record."""
        self._recorder: Recorder | None = None
        self.pc.on("track", self._on_track)

    def hello(self) -> dict[str, Any]:
        """Engine and classes."""
        return {
            "stream": self._audience.id,
            "classes": self._recognizer.classes,
            "engine": self._recognizer.engine,
            "backend": self._recognizer.backend,
            "why": self._recognizer.why,
            "source": "browser camera",
            "recording": self._folder is not None,
        }

    async def prepare(self, offer: Offer) -> None:
        """Keep what the page says of its camera; look into its pictures before they are decoded."""
        for transceiver in self.pc.getTransceivers():
            hasten(transceiver.receiver)
            self._gate = put_gate(
                transceiver.receiver, self.config.largest_px, self.config.encoded_frames, self._refuse
            )
        if offer.record and self.config.record is not None:
            self._folder = self.config.record / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{self.id}"
        if offer.video is not None:
            self._announced = (offer.video.width, offer.video.height)

    def _refuse(self, width: int, height: int) -> None:
        self.end(
            "size", f"Pictures of {width}x{height} are too large for this server; choose a smaller size."
        )

    def joined(self, box: Outbox) -> None:
        """Let the page hear."""
        self._audience.join(box)

    def mute(self, on: bool) -> None:
        """Throw frames away unseen while ``on``."""
        self._muted = on
        if self._source is not None:
            self._source.muted = on

    def mark(self, text: str) -> None:
        """Into the page's events, and the recording if there is one."""
        if self._pipeline is not None:
            self._pipeline.marking.mark(text, "page")

    def figures(self) -> SessionFigures:
        """What /metrics tells of it."""
        fps = self._pipeline.counters.rate.hz if self._pipeline is not None else 0.0
        return SessionFigures(self.mode, fps, self._health.received_fps)

    async def free(self) -> None:
        """Stop the pipeline and wait for its threads, outside the event loop."""
        if self._source is not None:
            self._source.stop()
        if self._starting is not None:
            await asyncio.wait([self._starting])
        if self._pipeline is not None:
            self._pipeline.stop()
            await asyncio.to_thread(self._pipeline.join, _JOIN_S)
            if self._recorder is not None:
                await asyncio.to_thread(self._end_recording, self._recorder, self._pipeline)
        self._pipeline = self._source = None

    def _start(self, source: TrackSource) -> Pipeline:
        sinks: list[Sink] = [self._audience]
        heard = self._audience.begin()
        recorder = None
        if self._folder is not None:
            recorder = open_recorder(
                RecordConfig(self._folder), source, self._recognizer, self.config.live, {"consent": True}
            )
            sinks.append(recorder)

        def listen(frame: Frame, steps: Sequence[Step]) -> None:
            heard(frame, steps)
            if recorder is not None:
                recorder.note(frame, steps[0].crop, pipeline.spotter.level, steps[0].speaking)

        pipeline = Pipeline(source, self._recognizer, sinks, self.config.live, listen)
        if recorder is not None:
            begin(recorder, pipeline)
        self._pipeline, self._recorder = pipeline, recorder
        pipeline.start()
        return pipeline

    def _end_recording(self, recorder: Recorder, pipeline: Pipeline) -> None:
        try:
            _log.info("%s", end(recorder, pipeline))
        except OSError as error:
            _log.warning("a session was not recorded to its end: %s", error)

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "video" and self._source is None:
            self.spawn(self._receive(track))

    async def _receive(self, track: MediaStreamTrack) -> None:
        """Call recv() without pause for as long as the track lives: what is not fetched piles up."""
        try:
            while True:
                frame = await track.recv()
                now = now_ns()
                self.lifetime.heard_ns = now
                if not self._muted:
                    self.lifetime.used_ns = now
                if self._source is None:
                    size = analysed_size(
                        (frame.width, frame.height), self._announced, self.config.most_pixels
                    )
                    self._source = TrackSource(
                        size,
                        depth=self.config.handover_frames,
                        late_s=self.config.late_s,
                        undecoded=lambda: 0 if self._gate is None else self._gate.dropped,
                    )
                    self._source.muted = self._muted
                    self.spawn(self._analyse(self._source))
                self._source.offer(frame, now)
        except MediaStreamError:
            self.end("gone")

    async def _analyse(self, source: TrackSource) -> None:
        # In a thread, for it takes a while; shielded, for a thread cannot be cancelled and `free` must see its end.
        self._starting = asyncio.get_running_loop().run_in_executor(None, self._start, source)
        pipeline = await asyncio.shield(self._starting)
        self.spawn(self._audience.report(pipeline, self.config.state_hz))
        while True:
            await asyncio.sleep(1)
            if self.box is not None:
                stats = await self.pc.getStats()
                self.box.put(self._health.message(pipeline, self.box, stats))
            if source.error is not None or pipeline.error is not None:
                self.end("error", str(source.error or "The analysis failed on the server."))
                return

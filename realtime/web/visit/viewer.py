"""A visitor who watches the server's camera: video at 30 fps, every event, nothing sent by the visitor."""

from __future__ import annotations

import asyncio
from typing import Any

from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.media.picture import PictureTrack
from mer_live.realtime.web.media.track import now_ns
from mer_live.realtime.web.metrics import Metrics, SessionFigures
from mer_live.realtime.web.visit.connection import Connection
from mer_live.realtime.web.visit.health import Health
from mer_live.realtime.web.visit.messages import Offer, encode
from mer_live.realtime.web.visit.outbox import Outbox
from mer_live.realtime.web.visit.server_camera import ServerCamera


class Viewer(Connection):
    """Follows the server's pipeline; muting hides its events from this viewer alone."""

    mode = "server"

    def __init__(self, config: WebConfig, metrics: Metrics, camera: ServerCamera) -> None:
        super().__init__(config, metrics)
        self._camera = camera
        self._health = Health()
        self._track: PictureTrack | None = None

    def hello(self) -> dict[str, Any]:
        """Engine, classes and camera."""
        pipeline, recognizer = self._camera.pipeline, self._camera.recognizer
        return {
            "stream": self._camera.audience.id,
            "classes": recognizer.classes,
            "engine": recognizer.engine,
            "backend": recognizer.backend,
            "why": recognizer.why,
            "source": "" if pipeline is None else pipeline.source.description,
        }

    async def prepare(self, offer: Offer) -> None:
        """Attach the video."""
        self._track = PictureTrack(self._camera.pictures)
        self.pc.addTrack(self._track)

    def joined(self, box: Outbox) -> None:
        """Let the page hear, the latest events first."""
        self._camera.audience.join(box)
        if self._camera.trouble:
            box.put(encode("trouble", message=self._camera.trouble))
        self.spawn(self._report(box))

    def mute(self, on: bool) -> None:
        """Hold events and states back from this page while ``on``."""
        if self.box is not None:
            self._camera.audience.leave(self.box)
            if not on:
                self._camera.audience.join(self.box)

    def mark(self, text: str) -> None:
        """For all who watch."""
        if (pipeline := self._camera.pipeline) is not None:
            pipeline.marking.mark(text, "page")

    def figures(self) -> SessionFigures:
        """What /metrics tells of it."""
        pipeline = self._camera.pipeline
        return SessionFigures(
            self.mode, 0.0 if pipeline is None else pipeline.counters.rate.hz, self._health.received_fps
        )

    async def free(self) -> None:
        """Leave the audience and end the video."""
        if self.box is not None:
            self._camera.audience.leave(self.box)
        if self._track is not None:
            self._track.stop()

    async def _report(self, box: Outbox) -> None:
        while True:
            await asyncio.sleep(1)
            self.lifetime.used_ns = now_ns()  # watching is use
            if (pipeline := self._camera.pipeline) is not None:
                box.put(self._health.message(pipeline, box))

"""The server's own camera: one pipeline at full rate, started again when it ends, for all who watch."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from mer_live.realtime.config import LiveConfig
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.ring import RingReader
from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.media.picture import Pictures
from mer_live.realtime.web.metrics import Metrics
from mer_live.realtime.web.visit.audience import Audience
from mer_live.realtime.web.visit.messages import encode, newest_ns

_log = logging.getLogger(__name__)
_POLL_S = 0.1
_RETRY_S = (1.0, 2.0, 5.0, 10.0)


class ServerCamera:
    """Runs until it is cancelled: a file begins again at its end, a lost camera is looked for."""

    def __init__(
        self,
        config: WebConfig,
        camera: CameraConfig,
        recognizer: Recognizer,
        metrics: Metrics,
        live: LiveConfig | None = None,
    ) -> None:
        self.recognizer = recognizer
        self.pipeline: Pipeline | None = None
        """The one that runs, if one does."""
        self.pictures = Pictures()
        self.audience = Audience(asyncio.get_running_loop(), metrics)
        self.trouble = ""
        """Why there is no picture; empty when all is well."""
        self._config = config
        self._camera = camera
        self._live = live or LiveConfig(sensitivity=config.live.sensitivity, faces=config.live.faces)

    async def run(self, source: FrameSource) -> None:
        """Serve ``source``, and what comes after it."""
        failures = 0
        while True:
            started = asyncio.get_running_loop().time()
            await self._serve(source)
            if asyncio.get_running_loop().time() - started > 30:
                failures = 0
            while True:
                # A file that cannot even be played once must not be opened in a busy loop.
                await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)] if self.trouble else _POLL_S)
                try:
                    source = await asyncio.to_thread(open_source, self._camera)
                    self.trouble = ""
                    break
                except SourceError as error:
                    failures += 1
                    self._tell_trouble(str(error))

    async def _serve(self, source: FrameSource) -> None:
        pipeline = await asyncio.to_thread(
            Pipeline, source, self.recognizer, [self.audience], self._live, self.audience.begin()
        )
        # In a thread, since it builds the landmarker; shielded, since a thread cannot be cancelled.
        starting = asyncio.get_running_loop().run_in_executor(None, pipeline.start)
        following = asyncio.create_task(self.follow(pipeline))
        try:
            await asyncio.shield(starting)
            while not pipeline.join(0):
                await asyncio.sleep(_POLL_S)
            if pipeline.error is not None:
                self._tell_trouble(str(pipeline.error))
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await asyncio.wait([starting])
            pipeline.stop()
            await asyncio.to_thread(pipeline.join, 5.0)

    async def follow(self, pipeline: Pipeline) -> None:
        """Show a pipeline, whose sink and listener is ``audience``, to all who watch, until this is cancelled."""
        self.pipeline = pipeline
        reader = pipeline.viewer()
        helpers = [
            asyncio.create_task(self.audience.report(pipeline, self._config.state_hz)),
            asyncio.create_task(self._show(pipeline, reader)),
        ]
        try:
            await asyncio.gather(*helpers)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            reader.close()
            self.pipeline = None

    async def _show(self, pipeline: Pipeline, reader: RingReader) -> None:
        while True:
            await asyncio.sleep(1 / self._config.view_fps)
            if not self.pictures.viewers or (frame := reader.latest()) is None:
                continue
            picture = frame.image.copy()
            if reader.valid(frame):
                with contextlib.suppress(ValueError):
                    await self.pictures.publish(picture, newest_ns(pipeline) or 0)

    def _tell_trouble(self, words: str) -> None:
        _log.warning("server camera: %s", words)
        self.trouble = words
        self.audience.tell(encode("trouble", message=words))

"""``mer-live --view``: the page of a run, served to this machine beside it."""

from __future__ import annotations

import asyncio
import threading
from typing import Self

from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.server import serve
from mer_live.realtime.web.visit.audience import Audience
from mer_live.realtime.web.visit.server_camera import ServerCamera


class View:
    """Serves mer-web's page of one pipeline from a thread of its own, from entering to leaving.

    ``audience`` is to be among the pipeline's sinks and to hear its frames; then ``show`` it.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._shown: asyncio.Future[Pipeline] = self._loop.create_future()
        self._there = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mer-view")
        self._error: Exception | None = None
        self.audience: Audience
        """There from entering on."""
        self.url = ""

    def __enter__(self) -> Self:
        """Begin to serve. Raises OSError."""
        self._thread.start()
        self._there.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def show(self, pipeline: Pipeline) -> None:
        """Let the page follow a pipeline that is about to start."""
        self._loop.call_soon_threadsafe(self._shown.set_result, pipeline)

    async def _follow(self, camera: ServerCamera) -> None:
        self.audience = camera.audience
        await camera.follow(await self._shown)

    def _ready(self, port: int) -> None:
        self.url = f"http://localhost:{port}/"
        self._loop.call_soon(self._there.set)  # the camera's task was made before, and has begun then

    def _run(self) -> None:
        try:
            work = serve(
                WebConfig(port=0), self._recognizer, None, self._stop, self._ready, shown=self._follow
            )
            self._loop.run_until_complete(work)
        except Exception as error:
            self._error = error
        finally:
            self._there.set()
            self._loop.close()

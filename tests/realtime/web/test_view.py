from __future__ import annotations

import asyncio
import threading
from typing import Any
from urllib.request import urlopen

import aiohttp
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.web_client import SureRecognizer

from mer_live.benchmarks.inputs import demo_recording
from mer_live.benchmarks.web.visitor import Visitor
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.sources.memory import MemorySource
from mer_live.realtime.web.view import View


class Held(MemorySource):
    """Its last half waits until somebody watches."""

    def __init__(self, frames: NDArray[np.uint8], t_ns: NDArray[np.int64]) -> None:
        super().__init__(frames, t_ns=t_ns, pace="realtime")
        self.half, self.watched = len(frames) // 2, threading.Event()

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        if self.captured == self.half:
            self.watched.wait(60)
        return super().fill(slot)


def test_the_page_of_a_run_shows_its_picture_and_events_and_ends_with_it() -> None:
    clip = demo_recording(2.4).at_rate(50)
    frames = np.stack([cv2.resize(frame, (320, 240)) for frame in clip.frames])
    recognizer: Any = SureRecognizer()

    async def watch(url: str) -> dict[str, Any]:
        async with aiohttp.ClientSession(url, headers={"Origin": url.rstrip("/")}) as http:
            page = Visitor(http)
            status, said = await page.offer()
            assert status == 200, said
            hello = await page.until("hello")
            await page.until("state", lambda m: m["t_s"] is not None, 60)
            page.send(type="marker", text="seen")
            await page.until("marker", s=60)
            source.watched.set()
            event = await page.until("event", s=90)
            await page.close()
            return {**hello, **event}

    with View(recognizer) as view:
        assert b"mer-live" in urlopen(view.url, timeout=30).read()
        source = Held(frames, clip.t_ns)
        hear = view.audience.begin()
        with Pipeline(source, recognizer, [view.audience], LiveConfig(), hear) as pipeline:
            view.show(pipeline)
            seen = asyncio.run(watch(view.url))
            pipeline.stop()
            assert pipeline.join(60)
        assert [marker.text for marker in pipeline.marking.kept] == ["seen"]
    assert (seen["mode"], seen["engine"]) == ("server", "sure")
    assert seen["type"] == "event"
    with pytest.raises(OSError, match=r".+"):
        urlopen(view.url, timeout=5)

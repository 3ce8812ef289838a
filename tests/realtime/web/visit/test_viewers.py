"""Those who watch the server's camera."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.web_client import SureRecognizer, emptied, serving

from mer_live.benchmarks.web.visitor import Visitor
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.memory import MemorySource
from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.visit.server_camera import ServerCamera


async def stage(site: Any, frames: NDArray[np.uint8]) -> asyncio.Task[None]:
    """Give the server a camera of its own that plays ``frames`` at 60 fps."""
    times = [round(k * 1e9 / 60) for k in range(len(frames))]
    source = MemorySource(list(frames), t_ns=times, pace="realtime")
    site.camera = ServerCamera(
        site.config, CameraConfig(source=str(demo_clip()), pace="realtime"), SureRecognizer(), site.metrics
    )
    return asyncio.create_task(site.camera.run(source))


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_viewers_of_the_servers_camera_get_video_and_state(clip: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving() as (site, http):
            filming = await stage(site, np.concatenate([clip] * 4))
            pages = [Visitor(http) for _ in range(2)]
            for page in pages:
                assert (await page.offer())[0] == 200
            for page in pages:
                assert (await page.until("hello"))["mode"] == "server"
                await page.until("state", lambda m: m["face"] == "ok", 60)
            async with asyncio.timeout(30):
                while min(page.pictures for page in pages) < 5:
                    await asyncio.sleep(0.05)
            async with http.get("/healthz") as response:
                assert await response.json() == {"status": "ok"}  # and not a word about the camera
            assert site.camera.pictures.viewers == 2
            for page in pages:
                page.send(type="stop")
            await emptied(site)
            assert site.camera.pictures.viewers == 0
            await cancelled(filming)
            for page in pages:
                await page.close()

    asyncio.run(run())


def test_a_viewer_that_never_reads_delays_nobody(clip: NDArray[np.uint8]) -> None:
    async def run() -> None:
        config = WebConfig(outbox_messages=4, outbox_bytes=2048, state_hz=200)
        async with serving(config) as (site, http):
            filming = await stage(site, np.concatenate([clip] * 6))
            deaf, page = Visitor(http), Visitor(http)
            await deaf.offer()
            await deaf.until("hello")

            async def ignore(*_: Any) -> None:
                """Take no packet, so that nothing is ever acknowledged."""

            deaf.pc.sctp._handle_data = ignore
            await page.offer()
            connection = next(p for p in site.sessions._connections.values() if p.box is not None)
            box = connection.box
            assert box is not None
            async with asyncio.timeout(60):
                while box.dropped < 50:
                    await asyncio.sleep(0.02)
                    connection.lifetime.heard_ns = 10**18  # what it sends still arrives
            assert box.waiting <= 5
            assert page.channel.readyState == "open"
            await page.until("state", lambda m: m["t_s"] is not None)
            await cancelled(filming)
            for each in (deaf, page):
                await each.close()

    asyncio.run(run())

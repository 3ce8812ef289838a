from __future__ import annotations

import asyncio
import gc
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from av import VideoFrame
from numpy.typing import NDArray
from support.web_client import ClipTrack, SureRecognizer, emptied, serving

from mer_live.benchmarks.web.visitor import Visitor
from mer_live.engines.bundle import load_bundle
from mer_live.engines.errors import BundleError
from mer_live.realtime.demo.clip import demo_truth
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.session.read import read_session
from mer_live.realtime.web import server
from mer_live.realtime.web.config import WebConfig

FPS = 30
SECONDS = 2.6
"""Long enough for the first event of the demo clip."""


async def watched(page: Visitor, track: ClipTrack) -> None:
    """Offer the clip; it plays once the server sees the face."""
    status, _ = await page.offer(video={"width": 640, "height": 480})
    assert status == 200
    await page.until("state", lambda m: m["face"] == "ok", 60)
    track.play()


def test_a_track_becomes_events_on_the_data_channel(clip: NDArray[np.uint8]) -> None:
    try:
        engines: Any = Recognizer([load_bundle("madtn")], backend="onnxruntime")
    except BundleError:
        engines = SureRecognizer()  # what is seen and when does not depend on the engine

    async def run() -> None:
        # Sender and server share the machine: nothing may depend on how fast it is.
        async with serving(WebConfig(late_s=1e6), engines) as (site, http):
            track = ClipTrack(clip, FPS)
            page = Visitor(http, track)
            await watched(page, track)
            hello = await page.until("hello")
            assert hello["engine"] == engines.engine
            provisional = await page.until("event", lambda m: m["state"] == "provisional", 60)
            final = await page.until("event", lambda m: m["state"] == "final", 60)
            assert final["id"] == provisional["id"]
            assert final["revision"] == provisional["revision"] + 1
            assert final["label"] == demo_truth()[0].label
            assert abs(sum(final["probs"].values()) - 1) < 1e-3
            state = await page.until("state", lambda m: bool(m["faces"]))
            assert state["frame"] == [640, 480]
            left, top, width, height = state["faces"][0]["box"]
            assert 0 < left < 640 - width
            assert 0 < top < 480 - height
            health = await page.until("health", lambda m: m["received_fps"] > 0)
            assert health["received"] == [640, 480]
            async with http.get("/metrics") as response:
                text = await response.text()
            assert 'mer_events_total{state="final"} 1.0' in text.splitlines()
            assert "mer_sessions 1.0" in text.splitlines()
            page.send(type="stop")
            assert (await page.until("bye"))["reason"] == "stop"
            await emptied(site)
            await page.close()

    asyncio.run(run())


def test_a_session_is_recorded_only_where_server_and_visitor_agree(
    grey: NDArray[np.uint8], tmp_path: Path
) -> None:
    async def visit(config: WebConfig, agreed: bool) -> None:
        async with serving(config) as (site, http):
            async with http.get("/about") as response:
                assert (await response.json())["record"] == (config.record is not None)
            page = Visitor(http, ClipTrack(grey))
            assert (await page.offer(record=agreed))[0] == 200
            assert (await page.until("hello"))["recording"] == (agreed and config.record is not None)
            assert (await page.until("start"))["clock"] == "CLOCK_MONOTONIC"
            page.send(type="marker", text="block 2")
            marker = await page.until("marker")
            assert (marker["text"], marker["by"]) == ("block 2", "page")
            page.send(type="stop")
            await emptied(site)
            await page.close()

    asyncio.run(visit(WebConfig(record=tmp_path), agreed=False))
    asyncio.run(visit(WebConfig(), agreed=True))
    assert list(tmp_path.iterdir()) == []
    asyncio.run(visit(WebConfig(record=tmp_path), agreed=True))
    (folder,) = tmp_path.iterdir()
    session = read_session(folder)
    assert session.info["complete"]
    assert session.info["options"] == {"consent": True}
    assert [marker["text"] for marker in session.markers] == ["block 2"]
    assert session.frames.analysed.any()
    with pytest.raises(ValueError, match="create it"):
        WebConfig(record=tmp_path / "nowhere")


@pytest.mark.slow
def test_five_percent_of_the_packets_may_be_lost(clip: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(5)

    async def run() -> None:
        async with serving(WebConfig(late_s=1e6)) as (site, http):
            track = ClipTrack(clip, FPS)
            page = Visitor(http, track)
            await watched(page, track)
            way = page.pc.sctp.transport.transport
            send = way._send

            async def lossy(data: bytes) -> None:
                if rng.random() >= 0.05:
                    await send(data)

            way._send = lossy
            await page.until("state", lambda m: (m["t_s"] or 0) > SECONDS + 1, 60)
            # How many frames get through depends on the machine; that they keep coming does not.
            health = await page.until("health", lambda m: m["packets_lost"] > 0)
            await page.until("health", lambda m: m["frames"] > health["frames"])
            assert len(site.sessions) == 1
            await page.close()

    asyncio.run(run())


def test_the_end_of_a_session_frees_its_threads(grey: NDArray[np.uint8]) -> None:
    def names() -> set[str]:
        return {
            t.name for t in threading.enumerate() if t.name.startswith(("mer-", "capture", "landm", "video-"))
        }

    async def run() -> None:
        async with serving() as (site, http):
            before = names()
            page = Visitor(http, ClipTrack(grey))
            await page.offer()
            await page.until("state", lambda m: m["t_s"] is not None)
            assert {"mer-worker", "mer-recogniser", "capture"} <= names()
            page.send(type="stop")
            await emptied(site)
            assert names() == before
            await page.close()

    asyncio.run(run())


class Turned(ClipTrack):
    """A phone that is turned after two seconds."""

    async def recv(self) -> VideoFrame:
        frame = await super().recv()
        if self.sent < 2 * self._fps:
            return frame
        turned = VideoFrame.from_ndarray(np.full((64, 48, 3), 128, np.uint8), format="bgr24")
        turned.pts, turned.time_base = frame.pts, frame.time_base
        return turned


def test_turning_a_phone_goes_on_with_the_same_analysis(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving() as (_, http):
            page = Visitor(http, Turned(grey))
            await page.offer(video={"width": 64, "height": 48})
            health = await page.until("health", lambda m: m["received"] == [48, 64])
            later = await page.until("health", lambda m: m["frames"] > health["frames"])
            assert later["analysed"] == [64, 48]
            assert {m["run"] for m in page.messages if m["type"] == "state"} == {1}
            await page.close()

    asyncio.run(run())


def test_muting_stops_the_analysis_and_unmuting_resumes_it(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving() as (_, http):
            page = Visitor(http, ClipTrack(grey))
            await page.offer()
            await page.until("state", lambda m: m["t_s"] is not None)
            page.send(type="mute", on=True)
            page.send(type="ping", t=1)
            await page.until("pong")
            still = await quiet(page)
            page.send(type="mute", on=False)
            await page.until("state", lambda m: (m["t_s"] or 0) > still + 0.2)
            await page.close()

    async def quiet(page: Visitor) -> float:
        """Stream time once five states in a row say the same."""
        async with asyncio.timeout(20):
            while True:
                times = [m["t_s"] for m in page.messages if m["type"] == "state"][-5:]
                if len(times) == 5 and len(set(times)) == 1:
                    return float(times[0])
                await asyncio.sleep(0.05)

    asyncio.run(run())


@pytest.mark.slow
def test_sessions_that_come_and_go_leave_nothing(grey: NDArray[np.uint8]) -> None:
    """`mer-bench soak` takes the figures of a server by itself; here the visitor is in the same process."""
    cycles = 6
    process = psutil.Process()
    seen: list[tuple[int, int, float]] = []

    async def run() -> None:
        async with serving() as (site, http):
            for k in range(cycles):
                page = Visitor(http, ClipTrack(grey))
                await page.offer()
                await page.until("state", lambda m: m["t_s"] is not None)
                if k % 3:
                    page.send(type="stop")
                    await page.until("bye")
                await page.close()
                await emptied(site)
                gc.collect()
                seen.append((process.num_threads(), process.num_fds(), process.memory_info().rss / 1e6))

    asyncio.run(run())
    warm = cycles // 2
    assert seen[-1][0] <= seen[warm][0] + 1
    assert seen[-1][1] <= seen[warm][1] + 1
    assert seen[-1][2] < seen[warm][2] + 30


def test_no_picture_reaches_the_disk() -> None:
    """The package has no call that writes a file."""
    writes = re.compile(
        r"(?<!def )(?<![.\w])open\(|imwrite|VideoWriter|MediaRecorder|write_(bytes|text)|\.save\("
    )
    files = list(Path(server.__file__).parent.rglob("*.py"))
    assert {"track.py", "connection.py", "server.py"} <= {file.name for file in files}
    for file in files:
        assert not writes.search(file.read_text()), file

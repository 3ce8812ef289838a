from __future__ import annotations

import asyncio
import gc
import re
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from aiortc import MediaStreamTrack
from av import Packet
from numpy.typing import NDArray
from support.web_client import ClipTrack, SureRecognizer, counted, emptied, serving

from mer_live.benchmarks.web.visitor import Visitor, post_offer
from mer_live.engines.bundle import load_bundle
from mer_live.engines.errors import BundleError
from mer_live.realtime.demo.clip import demo_clip, demo_truth
from mer_live.realtime.face.landmarks import Landmarker
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.session.read import read_session
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.memory import MemorySource
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.web import server
from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.visit.server_camera import ServerCamera

FPS = 30
SECONDS = 2.6
"""Long enough for the first event of the demo clip."""


@pytest.fixture(scope="module")
def clip() -> NDArray[np.uint8]:
    """The beginning of the demo clip as a 30 fps camera would have seen it."""
    source = open_source(CameraConfig(source=str(demo_clip())))
    width, height = source.size
    wanted = {round(k * 200 / FPS) for k in range(round(SECONDS * FPS))}
    frames, frame = [], np.empty((height, width, 3), np.uint8)
    for number in range(max(wanted) + 1):
        source.fill(frame)
        if number in wanted:
            frames.append(frame.copy())
    source.stop()
    return np.stack(frames)


@pytest.fixture(scope="module")
def grey() -> NDArray[np.uint8]:
    return np.full((1, 48, 64, 3), 128, np.uint8)


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    Landmarker().close()  # as the server does at its start


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


def test_a_connection_that_dies_without_a_word_is_freed(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving(WebConfig(silence_s=0.5)) as (site, http):
            track = ClipTrack(grey)
            page = Visitor(http, track)
            await page.offer()
            await page.until("hello")

            async def vanish(*_: Any) -> None:
                """No packet leaves any more; nobody says goodbye."""

            page.pc.sctp.transport.transport._send = vanish
            await emptied(site, 10)
            assert counted(site, "mer_sessions_ended_total") == {"lost": 1}
            await page.close()

    asyncio.run(run())


def test_an_answered_offer_that_never_connects_gives_its_place_back(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving(WebConfig(connect_s=0.5)) as (site, http):
            page = Visitor(http, ClipTrack(grey))
            await page.pc.setLocalDescription(await page.pc.createOffer())
            status, _ = await post_offer(http, {"sdp": page.pc.localDescription.sdp})
            assert (status, len(site.sessions)) == (200, 1)
            await emptied(site)
            assert counted(site, "mer_sessions_ended_total") == {"connect": 1}
            await page.close()

    asyncio.run(run())


class Bomb(MediaStreamTrack):
    """A compressed picture of 12000x12000 that its sender never decoded either, twice a second."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._sent = 0

    async def recv(self) -> Packet:
        await asyncio.sleep(0.5)
        side = (12_000).to_bytes(2, "little")
        packet = Packet(b"\x10\x00\x00\x9d\x01\x2a" + side + side + bytes(3000))
        packet.pts, packet.time_base = self._sent * 45_000, Fraction(1, 90_000)
        self._sent += 1
        return packet


def test_a_huge_picture_ends_the_session_before_it_is_decoded() -> None:
    async def run() -> None:
        async with serving() as (site, http):
            before = psutil.Process().memory_info().rss
            page = Visitor(http, Bomb())
            assert (await page.offer())[0] == 200
            bye = await page.until("bye")
            assert bye["reason"] == "size"
            assert "12000x12000" in bye["message"]
            await emptied(site)
            assert psutil.Process().memory_info().rss - before < 50e6
            await page.close()

    asyncio.run(run())


def test_an_end_before_the_channel_is_open_is_told_all_the_same() -> None:
    async def run() -> None:
        async with serving() as (site, http):
            page = Visitor(http, Bomb())
            refused, send = asyncio.Event(), page.pc.sctp.transport._send_data

            async def later(data: bytes) -> None:
                await refused.wait()
                await send(data)

            page.pc.sctp.transport._send_data = later
            assert (await page.offer())[0] == 200
            (connection,) = site.sessions._connections.values()
            await asyncio.wait_for(connection.ended.wait(), 30)
            await asyncio.sleep(0.3)
            refused.set()
            assert (await page.until("bye"))["reason"] == "size"
            await emptied(site)
            await page.close()

    asyncio.run(run())


def test_offers_that_never_connect_cannot_hold_all_places(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving() as (site, http):
            silent = Visitor(http, ClipTrack(grey))
            await silent.pc.setLocalDescription(await silent.pc.createOffer())
            offer = {"sdp": silent.pc.localDescription.sdp}
            answers = [await post_offer(http, offer) for _ in range(4)]
            assert [status for status, _ in answers] == [200, 200, 503, 503]
            assert answers[3][1]["error"] == "wait"
            assert site.sessions.reserve("192.0.2.7") is None  # somebody else is let in
            site.sessions.give_back("192.0.2.7")
            await silent.close()

    asyncio.run(run())


def test_a_message_without_an_end_is_cut_off(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving() as (site, http):
            page = Visitor(http, ClipTrack(grey))
            await page.offer()
            await page.until("hello")
            page.pc.sctp._remote_max_message_size = 0  # it was told, and does not care
            page.channel.send("x" * 8_000_000)
            await emptied(site)
            assert counted(site, "mer_sessions_ended_total") == {"flood": 1}
            await page.close()

    asyncio.run(run())


def test_the_fifth_is_told_that_the_server_is_busy(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving() as (site, http):
            pages = [Visitor(http, ClipTrack(grey)) for _ in range(5)]
            for page in pages[:4]:
                assert (await page.offer())[0] == 200
                await page.until("hello")
            status, answer = await pages[4].offer()
            assert (status, answer["error"]) == (503, "busy")
            pages[0].send(type="stop")
            async with asyncio.timeout(15):
                while len(site.sessions) == 4:
                    await asyncio.sleep(0.02)
            again = Visitor(http, ClipTrack(grey))
            assert (await again.offer())[0] == 200
            for page in (*pages, again):
                await page.close()

    asyncio.run(run())


def test_malformed_messages_are_refused_and_a_flood_is_cut_off(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving(WebConfig(messages_per_s=20)) as (site, http):
            page = Visitor(http, ClipTrack(grey))
            await page.offer()
            await page.until("hello")
            for data in ("{", "[]", '{"v":1,"type":"exec"}', "x" * 5000, b"\x00\xff"):
                page.channel.send(data)
            page.send(type="ping", t=41.5)
            assert (await page.until("pong"))["t"] == 41.5
            assert counted(site, "mer_messages_refused_total") == {"": 5}
            for _ in range(60):
                page.send(type="ping", t=1)
            await emptied(site)
            assert counted(site, "mer_sessions_ended_total") == {"flood": 1}
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


def test_sessions_that_come_and_go_leave_nothing(grey: NDArray[np.uint8]) -> None:
    """`mer-bench soak` takes the figures of a server by itself; here the visitor is in the same process."""
    cycles = 10
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


def test_offers_of_the_wrong_kind_get_no_session(grey: NDArray[np.uint8]) -> None:
    async def run() -> None:
        async with serving() as (site, http):
            page = Visitor(http)  # wants to watch, but here is nothing to see
            status, answer = await page.offer()
            assert (status, answer["error"]) == (400, "offer")
            assert len(site.sessions) == 0
            assert (await post_offer(http, b"{}"))[0] == 400
            await page.close()

    asyncio.run(run())


def test_no_picture_reaches_the_disk() -> None:
    """The package has no call that writes a file."""
    writes = re.compile(
        r"(?<!def )(?<![.\w])open\(|imwrite|VideoWriter|MediaRecorder|write_(bytes|text)|\.save\("
    )
    files = list(Path(server.__file__).parent.rglob("*.py"))
    assert {"track.py", "connection.py", "server.py"} <= {file.name for file in files}
    for file in files:
        assert not writes.search(file.read_text()), file

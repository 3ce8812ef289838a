from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.playing import play, play_file
from support.video_clips import HEIGHT, WIDTH, frames, mjpeg_server, write_video

from mer_live.realtime.ring import FrameRing
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.sources.url import UrlSource


def test_a_stream_that_drops_is_opened_again_until_it_stays_away() -> None:
    with mjpeg_server(12, 0, 9) as server:
        cfg = CameraConfig(source=server.url, retry_first_s=0.01, retry_s=2.0)
        source = open_source(cfg)
        assert isinstance(source, UrlSource)
        assert source.live
        assert "secret" not in source.description
        numbers, _ = play(source, capacity=64)
        assert server.script == []
    assert numbers == sorted(set(numbers))
    assert {0, 5, 12, 18} <= set(numbers)
    assert source.reconnects == 1
    assert isinstance(source.error, SourceError)
    assert "did not come back" in str(source.error)
    assert "secret" not in str(source.error)


def test_stop_ends_the_wait_for_a_dropped_stream() -> None:
    with mjpeg_server(5) as server:
        source = open_source(CameraConfig(source=server.url, retry_first_s=1000, retry_s=10_000))
        ring = FrameRing(8, HEIGHT, WIDTH, block=False)
        reader = ring.reader()
        with source:
            source.start(ring)
            assert reader.read(20) is not None
        assert source.error is None


def test_a_stream_that_stalls_counts_as_dropped() -> None:
    with mjpeg_server(5, stall=True) as server:
        cfg = CameraConfig(source=server.url, read_timeout_s=1.0, retry_first_s=0.01, retry_s=0.1)
        source = open_source(cfg)
        numbers, _ = play(source, capacity=64)
    assert numbers[0] == 0
    assert isinstance(source.error, SourceError)


def test_duration_ends_an_endless_stream() -> None:
    with mjpeg_server(None) as server:
        source = open_source(CameraConfig(source=server.url, duration_s=0.1))
        play(source, capacity=256)
        assert source.error is None


def test_a_server_that_is_down_and_a_live_stream_to_preload_are_refused() -> None:
    with mjpeg_server() as server, pytest.raises(SourceError, match="check the address") as caught:
        open_source(CameraConfig(source=server.url))
    assert "secret" not in str(caught.value)
    with mjpeg_server(None) as server, pytest.raises(SourceError, match="no end"):
        open_source(CameraConfig(source=server.url, preload=True))


def test_a_recording_on_a_web_server_is_a_recording(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames(30))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        numbers, times, source = play_file(f"http://127.0.0.1:{server.server_port}/{path.name}")
        server.shutdown()
        thread.join()
    assert (numbers, times[-1], source.waits) == (list(range(30)), 29 * 20_000_000, True)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass

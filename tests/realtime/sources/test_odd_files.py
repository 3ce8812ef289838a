"""Files that are in order and yet not as one thinks: joined, cut, of several streams, with odd stamps."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from support.playing import play, play_file
from support.video_clips import HEIGHT, WIDTH, frames, numbered, write_packets, write_video

from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.container import find_video
from mer_live.realtime.sources.open import open_source

EVEN = [i * 20_000_000 for i in range(40)]


def test_a_clock_that_rewinds_where_files_were_joined(tmp_path: Path) -> None:
    parts = [
        write_video(tmp_path / f"{k}.ts", frames(20, 20 * k), options={"bf": "0"}, container_format="mpegts")
        for k in (0, 1)
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    numbers, times, source = play_file(path)
    assert (numbers, times) == (list(range(40)), EVEN)
    assert source.mean_fps == pytest.approx(50)
    assert (source.stretch, source.facts["stamps_mended"]["rewinds"]) == (1, 1)
    assert source.hint == "1 rewind of the clock: times go on, the analysis starts anew"


def test_one_frame_stamped_hours_ahead_does_not_hold_the_rest(tmp_path: Path) -> None:
    ticks = [200 * i for i in range(40)]
    ticks[20] = 10 * 3600 * 10_000  # ten hours
    path = tmp_path / "ahead.mkv"
    write_packets(path, frames(40), ticks)
    numbers, times, source = play_file(path, pace="realtime")
    assert numbers == list(range(40))
    np.testing.assert_allclose(times, EVEN, atol=1_000_000)
    assert source.facts["stamps_mended"]["outliers"] == 1


def test_frames_that_share_a_stamp_are_spread_out(tmp_path: Path) -> None:
    path = tmp_path / "shared.mkv"
    write_packets(path, frames(40), [800 * (i // 4) for i in range(40)])
    numbers, times, source = play_file(path)
    assert numbers == list(range(40))
    np.testing.assert_allclose(times, EVEN, atol=10_000_000)
    mended = source.facts["stamps_mended"]
    # OpenCV tells 0 for a time of 0 and for none.
    assert (mended["repeated"], mended["missing"]) == (27, 3)


def test_a_long_wait_is_announced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_video(tmp_path / "a.mp4", frames(6), ticks=[0, 10, 20, 15_000, 15_010, 15_020])
    source = open_source(CameraConfig(source=str(path), pace="realtime"))
    with caplog.at_level(logging.WARNING):
        play(source)
    assert "its next frame is due in" in caplog.text
    assert source.stretch == 1


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_an_avi_with_reordered_frames_is_whole(tmp_path: Path, codec: str) -> None:
    path = write_video(tmp_path / "b.avi", frames(40), codec=codec, options={"bf": "2"})
    numbers, times, source = play_file(path)
    assert numbers == list(range(40))
    assert np.diff(times).tolist() == [20_000_000] * 39
    assert source.hint is None


def test_the_largest_real_stream_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=50) for _ in range(2)]
        for stream, scale in zip(streams, (1, 2), strict=True):
            stream.width, stream.height, stream.pix_fmt = WIDTH * scale, HEIGHT * scale, "yuv420p"
        for n in range(20):
            for stream, scale in zip(streams, (1, 2), strict=True):
                image = numbered(n + 20 * (scale - 1), WIDTH * scale, HEIGHT * scale)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        for stream in streams:
            container.mux(stream.encode())
    numbers, times, source = play_file(path)
    assert (numbers, times) == (list(range(20, 40)), EVEN[:20])
    assert source.size == (2 * WIDTH, 2 * HEIGHT)
    assert "video stream 2 of 2, the largest" in source.description
    assert source.facts["stream"] == {"number": 2, "of": 2}


def test_sound_that_begins_before_the_picture_gives_the_start(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        video, audio = container.add_stream("libx264", rate=50), container.add_stream("pcm_s16le", rate=8000)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        for k in range(20):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 8000, 800 * k, Fraction(1, 8000)
            container.mux(audio.encode(sound))
        for n in range(20):
            picture = av.VideoFrame.from_ndarray(numbered(n), format="bgr24")
            picture.pts, picture.time_base = 350 + 20 * n, Fraction(1, 1000)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        container.mux(audio.encode())
    _, times, source = play_file(path)
    assert times == EVEN[:20]
    assert source.facts["start_s"] == pytest.approx(0.35, abs=0.002)
    assert "its first picture comes at 0.350 s" in source.description
    assert source.hint is None, "the sound goes on after the picture"


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "cover.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 400, 400, "yuvj420p"
        stream.disposition = av.stream.Disposition.attached_pic
        image = av.VideoFrame.from_ndarray(np.zeros((400, 400, 3), np.uint8), format="bgr24")
        container.mux(stream.encode(image))
        container.mux(stream.encode())
    with pytest.raises(SourceError, match="only cover pictures"):
        open_source(CameraConfig(source=str(path)))


@pytest.mark.parametrize(("codec", "splits"), [("ffv1", True), ("libx264", False)])
def test_heavy_codecs_get_a_thread_a_core(tmp_path: Path, codec: str, splits: bool) -> None:
    assert find_video(write_video(tmp_path / "a.mkv", frames(3), codec=codec)).splits is splits


def test_messages_say_what_is(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", frames(30)).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.mp4").write_bytes(b"")
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    says = {
        "cut.mp4": "its index is missing or damaged, as when a recording is not ended",
        "empty.mp4": "it is empty",
        "sound.wav": "no picture, only sound",
        "take[1].mp4": "there is no file",
        "clip?.mkv": "there is no file",
        "one.png": f"one.png is one picture, and a movement takes many: name their folder, {tmp_path}",
        "photos": "photos holds no picture: name the folder",
        "photos/*.png": "no picture fits .*name the folder",
        "http://[": "is no address",
        "006": "there is no file .*006: check the path, or give --camera",
    }
    cv2.imwrite(str(tmp_path / "one.png"), numbered(1))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "IMG_1.HEIC").write_bytes(b"ftypheic")
    for name, words in says.items():
        source = name if name.isdigit() or "://" in name else str(tmp_path / name)
        with pytest.raises(SourceError, match=words) as caught:
            open_source(CameraConfig(source=source))
        assert "MP4" not in str(caught.value)


def test_a_folder_named_by_digits_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "006", frames(3), container_format="matroska")
    assert play_file("006")[0] == [0, 1, 2]

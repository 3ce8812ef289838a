from __future__ import annotations

import time
from pathlib import Path

import cv2
import pytest
from support.playing import play
from support.video_clips import HEIGHT, WIDTH, frames, write_video

from mer_live.realtime.sources import camera as camera_module
from mer_live.realtime.sources.camera import CameraSource, list_cameras
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.controls import control
from mer_live.realtime.sources.open import open_source


def test_there_is_no_camera_999(capfd: pytest.CaptureFixture[str]) -> None:
    for source in (999, "/dev/video999"):
        with pytest.raises(SourceError, match="--list-cameras"):
            open_source(CameraConfig(source=source))
    assert all(info.size[0] > 0 for info in list_cameras())
    assert capfd.readouterr().err == ""


def recorded_camera(path: Path, **changes: object) -> CameraSource:
    """A camera whose frames come from a file: real OpenCV capture, unplugged at the file's end."""
    return CameraSource(CameraConfig(source=0, **changes), lambda: cv2.VideoCapture(str(path)))  # type: ignore[arg-type]


def test_a_camera_stamps_with_the_monotonic_clock_and_dies_with_an_error(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", frames(30), codec="mjpeg", pix_fmt="yuvj420p")
    before = time.monotonic_ns()
    source = recorded_camera(path)
    assert (source.live, source.waits, source.epoch_ns) == (True, False, 0)
    assert (source.size, source.nominal_fps, source.fourcc) == ((WIDTH, HEIGHT), 50, "MJPG")
    numbers, times = play(source, capacity=64)
    assert numbers == list(range(1, 30))  # the first one told the size
    assert before < times[0] < times[-1] < time.monotonic_ns()
    assert isinstance(source.error, SourceError)
    assert "plug it in again" in str(source.error)
    assert source.captured == 29


def test_a_camera_that_gives_less_than_asked_gets_a_hint(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", frames(30), codec="mjpeg", pix_fmt="yuvj420p")
    source = recorded_camera(path, size=(640, 480))
    assert source.hint is not None
    assert "128x96 instead of 640x480" in source.hint
    source.stop()
    slow = recorded_camera(path, fps=100.0, fourcc="YUYV")
    assert slow.hint is None
    for i in range(120):
        slow._stamps.add(i * 33_000_000)
    slow.captured = 120
    assert slow.hint is not None
    assert "30 of 100 fps" in slow.hint
    assert "--exposure 8" in slow.hint, "as in low light"
    slow.stop()
    fixed = recorded_camera(path, fps=100.0, exposure_ms=5.0)
    assert "did not take exposure (5 ms)" in str(fixed.hint), "a file has none"
    fixed.stop()


class Driver:
    """Takes some properties, in steps."""

    def __init__(self, *taken: int, step: float = 1.0) -> None:
        self.taken, self.step = taken, step
        self.values: dict[int, float] = {}

    def set(self, number: int, value: float) -> bool:
        if number in self.taken:
            self.values[number] = round(value / self.step) * self.step
        return number in self.taken

    def get(self, number: int) -> float:
        return self.values.get(number, 0.0)


def test_controls_are_asked_in_each_systems_units() -> None:
    everything = (cv2.CAP_PROP_AUTO_EXPOSURE, cv2.CAP_PROP_EXPOSURE, cv2.CAP_PROP_GAIN)
    every = (*everything, cv2.CAP_PROP_FOCUS, cv2.CAP_PROP_AUTOFOCUS)
    wanted = CameraConfig(exposure_ms=4.0, gain=12.0, focus=30.0)
    driver = Driver(*every)
    assert control(driver, wanted, "Linux") == []
    assert driver.values == dict(zip(every, (1.0, 40.0, 12.0, 30.0, 0.0), strict=True))
    driver = Driver(*every)
    assert control(driver, wanted, "Windows") == []
    assert driver.values[cv2.CAP_PROP_EXPOSURE] == -8.0, "1/256 s"
    assert control(Driver(*every), wanted, "Darwin") == ["exposure (4 ms)"]
    assert control(Driver(), wanted, "Linux") == ["exposure (4 ms)", "gain (12)", "focus (30.0)"]
    coarse = Driver(*every, step=100.0)
    assert control(coarse, wanted, "Linux") == ["exposure (4 ms)", "gain (12)", "focus (30.0)"]
    driver = Driver(*every)
    assert control(driver, CameraConfig(exposure_ms="auto", focus="auto"), "Linux") == []
    assert driver.values == {cv2.CAP_PROP_AUTO_EXPOSURE: 3.0, cv2.CAP_PROP_AUTOFOCUS: 1.0}
    assert control(Driver(), CameraConfig(), "Linux") == []


def test_a_camera_without_frames_is_refused_at_once(tmp_path: Path) -> None:
    path = write_video(tmp_path / "one.avi", frames(1), codec="mjpeg", pix_fmt="yuvj420p")

    def exhausted() -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(path))
        capture.read()
        return capture

    with pytest.raises(SourceError, match="gives no frames"):
        CameraSource(CameraConfig(source=0), exhausted)


def test_cameras_are_listed_as_they_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", frames(3))
    monkeypatch.setattr(camera_module.platform, "system", lambda: "Windows")
    monkeypatch.setattr(
        camera_module, "_connect", lambda source: cv2.VideoCapture(str(path) if source == 0 else "")
    )
    assert [(c.source, c.size, c.fps) for c in list_cameras()] == [(0, (WIDTH, HEIGHT), 50.0)]

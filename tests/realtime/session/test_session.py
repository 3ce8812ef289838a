from __future__ import annotations

import errno
import json
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.killed_sessions import record_and_kill

from mer_live.engines.bundle import Bundle, load_bundle
from mer_live.realtime.clock import StartTime
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.face.landmarks import FaceDetection
from mer_live.realtime.path import Step
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.recording import begin, end, open_recorder
from mer_live.realtime.session.blur import blur_faces
from mer_live.realtime.session.layout import EVENTS, FRAMES, INFO, VIDEO, Codec, RecordConfig
from mer_live.realtime.session.read import (
    NONE,
    FrameTable,
    RecordedPictures,
    RecordedSession,
    SessionError,
    read_session,
)
from mer_live.realtime.session.recorder import Recorder
from mer_live.realtime.session.video_file import SessionVideo
from mer_live.realtime.sinks import JsonlSink
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.memory import MemorySource
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.types import Event, Frame

FRAMES_HELD = 480
"""Long enough for the first event of the demo clip."""
BURST = range(380, 470)


@pytest.fixture(scope="module")
def bundles() -> list[Bundle]:
    return [load_bundle("madtn")]


@pytest.fixture(scope="module")
def recognizer(bundles: list[Bundle]) -> Iterator[Recognizer]:
    with Recognizer(bundles, backend="onnxruntime") as opened:
        yield opened


@pytest.fixture(scope="module")
def clip() -> NDArray[np.uint8]:
    """(T, 240, 320, 3): a quarter of the size keeps the test quick."""
    source = open_source(CameraConfig(source=str(demo_clip())))
    frame = np.empty((480, 640, 3), np.uint8)
    frames = []
    for _ in range(FRAMES_HELD):
        source.fill(frame)
        frames.append(cv2.resize(frame, (320, 240), interpolation=cv2.INTER_AREA))
    source.stop()
    return np.stack(frames)


class Camera(MemorySource):
    """Frames that happen now; each waits until the last ones were taken, but for a burst that nobody can follow."""

    taken: Callable[[], int] = staticmethod(lambda: 0)
    burst = range(0)

    def __init__(self, frames: NDArray[np.uint8]) -> None:
        super().__init__(frames, fps=200.0)
        self.live, self.waits, self.epoch_ns = True, False, 0

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        while self.captured not in self.burst and self.captured - self.taken() > 8:
            if self._halt.wait(0.001):
                break
        return super().fill(slot)


def record_run(
    source: MemorySource, bundles: list[Bundle], recognizer: Recognizer, folder: Path, codec: Codec
) -> tuple[Recorder, Pipeline]:
    live = LiveConfig(ring_bytes=16 * 320 * 240 * 3)
    recorder = open_recorder(RecordConfig(folder, codec), source, recognizer, live, {})

    def listen(frame: Frame, steps: Sequence[Step]) -> None:
        recorder.note(frame, steps[0].crop, pipeline.spotter.level, steps[0].speaking)

    pipeline = Pipeline(source, recognizer, [recorder], live, listen)
    begin(recorder, pipeline)
    if isinstance(source, Camera):

        def taken() -> int:
            analysed = pipeline.counters.processed + pipeline.dropped
            waiting = len(recorder._crops)
            return (
                analysed - waiting if codec == "crops" else min(analysed, recorder.recorded + recorder.lost)
            )

        source.taken = taken  # type: ignore[method-assign]
    with pipeline:
        while codec == "crops" and pipeline.marking.mark("stimulus 1", "http") is None:
            assert not pipeline.join(0.01)
        assert pipeline.join(200)
    assert pipeline.error is None
    return recorder, pipeline


def replayed(folder: Path, recognizer: Recognizer, out: Path) -> tuple[list[dict[str, Any]], Pipeline]:
    with open_source(CameraConfig(source=str(folder))) as source:
        with Pipeline(source, recognizer, [JsonlSink(out)]) as pipeline:
            assert pipeline.join(200)
        assert pipeline.error is None
    return without_compute(out), pipeline


def without_compute(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "compute_ms"} for line in lines]


@pytest.mark.parametrize("codec", ["ffv1", "crops"])
def test_a_live_session_replays_event_for_event(
    codec: Codec, clip: NDArray[np.uint8], bundles: list[Bundle], recognizer: Recognizer, tmp_path: Path
) -> None:
    camera = Camera(clip)
    folder = tmp_path / "session"
    recorder, pipeline = record_run(camera, bundles, recognizer, folder, codec)
    said = end(recorder, pipeline)
    info = json.loads((folder / INFO).read_text())
    assert info["complete"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert info["start"]["clock"] == "CLOCK_MONOTONIC"
    assert 0 < info["start"]["uncertainty_ns"] < 1e9
    assert set(info["sha256"]) == {p.name for p in folder.iterdir()} - {INFO}
    assert info["frames"]["analysed"] + info["frames"]["dropped"] == FRAMES_HELD
    session = read_session(folder)
    live = without_compute(folder / EVENTS)
    assert any(line.get("state") == "final" for line in live)
    again, played = replayed(folder, recognizer, tmp_path / "again.jsonl")
    if "not recorded" in said or pipeline.dropped:
        pytest.skip(f"this machine was too slow: {said}")
    assert again == live
    assert played.source.began == session.start
    assert (session.frames.picture != NONE).sum() == recorder.recorded
    assert (folder / EVENTS).read_text().startswith('{"type": "start", "format": 2, "utc": "20')
    assert [marker["text"] for marker in session.markers] == (["stimulus 1"] if codec == "crops" else [])


def test_frames_that_the_analysis_dropped_are_dropped_again(
    clip: NDArray[np.uint8], bundles: list[Bundle], recognizer: Recognizer, tmp_path: Path
) -> None:
    camera = Camera(clip)
    camera.burst = BURST
    recorder, pipeline = record_run(camera, bundles, recognizer, tmp_path / "s", "crops")
    end(recorder, pipeline)
    assert pipeline.dropped > 0
    session = read_session(tmp_path / "s")
    assert (np.diff(session.frames.index) > 1).any()
    again, played = replayed(tmp_path / "s", recognizer, tmp_path / "again.jsonl")
    if recorder.lost:
        pytest.skip(f"this machine was too slow: {recorder.lost} crops were not recorded")
    assert played.counters.processed == pipeline.counters.processed
    assert again == without_compute(tmp_path / "s" / EVENTS)


def test_a_full_disk_ends_the_recording_and_not_the_analysis(
    clip: NDArray[np.uint8],
    bundles: list[Bundle],
    recognizer: Recognizer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add = SessionVideo.add

    def full(self: SessionVideo, picture: Any, t_ns: int) -> int:
        if self.pictures == 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return add(self, picture, t_ns)

    monkeypatch.setattr(SessionVideo, "add", full)
    source = MemorySource(clip[:120], fps=200.0)
    recorder, pipeline = record_run(source, bundles, recognizer, tmp_path / "s", "ffv1")
    assert pipeline.counters.processed == 120
    with pytest.raises(OSError, match="No space"):
        end(recorder, pipeline)
    session = read_session(tmp_path / "s")
    assert not session.info["complete"]
    with RecordedPictures(session) as pictures:
        assert all(np.array_equal(pictures.read(k), clip[k]) for k in range(20))  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_session_that_was_killed_opens(tmp_path: Path) -> None:
    for number, after_s in enumerate((0.0, 0.4, 1.7)):
        rows, pictures = record_and_kill(tmp_path / str(number), after_s)
        assert rows >= 0 <= pictures


@pytest.fixture(scope="module")
def whole(
    clip: NDArray[np.uint8],
    bundles: list[Bundle],
    recognizer: Recognizer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "s"
    recorder, pipeline = record_run(MemorySource(clip[:100], fps=200.0), bundles, recognizer, folder, "ffv1")
    end(recorder, pipeline)
    return folder


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_files_that_end_anywhere_are_read_as_far_as_they_go(
    whole: Path, tmp_path: Path, share: float
) -> None:
    for path in whole.iterdir():
        content = path.read_bytes()
        kept = len(content) if path.name == INFO else int(len(content) * share)
        (tmp_path / path.name).write_bytes(content[:kept])
    session = read_session(tmp_path)
    assert len(session.frames.index) <= 100
    with RecordedPictures(session) as pictures:
        count = 0
        while pictures.read(count) is not None:
            count += 1
    assert count >= 100 * share - 101 * 0.5


@pytest.mark.parametrize("size", [(64, 48), (322, 241)])
def test_lossless_pictures_come_back_bit_by_bit(tmp_path: Path, size: tuple[int, int]) -> None:
    images = np.random.default_rng(1).integers(0, 256, (4, size[1], size[0], 3), np.uint8)
    video = SessionVideo(tmp_path / VIDEO, "ffv1", size, 200.0)
    for k, image in enumerate(images):
        assert video.add(video.copy(image), k * 5_000_000) == k
    video.close()
    number = np.arange(len(images))
    table = FrameTable(
        number, number * 5_000_000, 0 * number, number, 0 * number + 1, np.zeros(4, np.float32)
    )
    session = RecordedSession(tmp_path, {"record": {"codec": "ffv1"}}, table, {})
    with RecordedPictures(session) as pictures:
        for k, image in enumerate(images):
            read = pictures.read(k)
            assert read is not None
            assert np.array_equal(read, image)
        assert pictures.read(len(images)) is None


def test_what_is_no_session_is_said(tmp_path: Path, whole: Path) -> None:
    with pytest.raises(SessionError, match="--record"):
        read_session(tmp_path)
    info = json.loads((whole / INFO).read_text())
    (tmp_path / INFO).write_text(json.dumps({**info, "format": 99}))
    with pytest.raises(SessionError, match="update"):
        read_session(tmp_path)
    (tmp_path / INFO).write_text(json.dumps(info))
    with pytest.raises(SourceError, match="before a frame"):
        open_source(CameraConfig(source=str(tmp_path)))
    info["record"]["blurred"] = True
    (tmp_path / INFO).write_text(json.dumps(info))
    with pytest.raises(SourceError, match="blurred"):
        open_source(CameraConfig(source=str(tmp_path)))


def test_a_recording_needs_a_folder_of_its_own(whole: Path, tmp_path: Path) -> None:
    for config, says in (
        (lambda: RecordConfig(whole), "new or empty"),
        (lambda: RecordConfig(tmp_path / "a" / "b"), "does not exist"),
        (lambda: RecordConfig(tmp_path / "a", "avi"), "one of ffv1"),  # type: ignore[arg-type]
        (lambda: RecordConfig(tmp_path / "a", "crops", blurred=True), "leave one out"),
    ):
        with pytest.raises(ValueError, match=says):
            config()


def test_a_blurred_face_cannot_be_read_and_the_rest_stays(clip: NDArray[np.uint8]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    angle = np.linspace(0, 2 * np.pi, 478, endpoint=False)
    face = np.stack([160 + 40 * np.cos(angle), 120 + 50 * np.sin(angle)], 1).astype(np.float32)
    blurred = blur_faces(image, [FaceDetection(face)])
    assert np.array_equal(blurred[:40], image[:40])
    inside = blurred[90:150, 130:190].astype(float)
    assert inside.std() < 0.2 * image.std()
    assert blur_faces(image, []).std() < 0.2 * image.std()


def test_events_of_a_failed_writer_are_an_error_of_the_recording(tmp_path: Path) -> None:
    class Full:
        def started(self, start: StartTime) -> None: ...

        def write(self, item: Event) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None: ...

    from support.events import FINAL

    (tmp_path / "s").mkdir()
    recorder = Recorder(RecordConfig(tmp_path / "s"), Full(), {"record": {"codec": "ffv1"}})
    recorder.write(FINAL)
    recorder.stop()
    assert recorder.error is not None
    assert (tmp_path / "s" / FRAMES).exists()
    assert not (tmp_path / "s" / VIDEO).exists()

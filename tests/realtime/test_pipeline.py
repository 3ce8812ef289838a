from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from mer_live.benchmarks import latency
from mer_live.benchmarks.inputs import HeldClip
from mer_live.benchmarks.result import Result
from mer_live.engines.bundle import load_bundle
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.demo.clip import demo_clip, demo_truth, match
from mer_live.realtime.face.landmarks import LandmarkerError
from mer_live.realtime.path import FacePath
from mer_live.realtime.pipeline import Pipeline, make_ring
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.report import build_report
from mer_live.realtime.sinks import JsonlSink, event_line
from mer_live.realtime.sources.config import CameraConfig, Pace, SourceError
from mer_live.realtime.sources.memory import MemorySource
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.types import Event, Frame
from mer_live.training.datasets.sample import Sample
from mer_live.training.prepare.config import PrepareConfig, parse_representations
from mer_live.training.prepare.deployable import spot_clip
from mer_live.training.spotter.match import decide
from mer_live.training.spotter.recordings import tracked

SECONDS = 3.5
"""Long enough for the first event of the demo clip."""


@dataclass(frozen=True)
class Recording:
    frames: NDArray[np.uint8]
    t_ns: list[int]


@pytest.fixture(scope="module")
def recognizer() -> Iterator[Recognizer]:
    with Recognizer([load_bundle("madtn")], backend="onnxruntime") as opened:
        yield opened


@pytest.fixture(scope="module")
def clip() -> Recording:
    source = open_source(CameraConfig(source=str(demo_clip())))
    width, height = source.size
    frames = np.empty((round(SECONDS * 200), height, width, 3), np.uint8)
    times = [source.fill(frame) or 0 for frame in frames]
    source.stop()
    return Recording(frames, times)


class Collect:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.items: list[Event] = []
        self.closed = 0

    def write(self, item: Event) -> None:
        self.items.append(item)

    def close(self) -> None:
        self.closed += 1


def again(clip: Recording, pace: Pace = "max") -> MemorySource:
    return MemorySource(clip.frames, t_ns=clip.t_ns, pace=pace)


def run(source: MemorySource, recognizer: Recognizer, sink: Collect) -> Pipeline:
    pipeline = Pipeline(source, recognizer, [sink])
    pipeline.start()
    assert pipeline.join(240)
    return pipeline


@pytest.fixture(scope="module")
def whole(clip: Recording, recognizer: Recognizer) -> tuple[Pipeline, Collect]:
    """A run that has ended, and what it emitted; to be looked at only."""
    sink = Collect()
    return run(again(clip), recognizer, sink), sink


def comparable(items: list[Event]) -> list[dict[str, object]]:
    return [{k: v for k, v in event_line(item).items() if k != "compute_ms"} for item in items]


def test_every_frame_is_processed_and_the_events_are_right(
    clip: Recording, whole: tuple[Pipeline, Collect]
) -> None:
    pipeline, sink = whole
    report = build_report(pipeline)
    assert pipeline.error is None
    assert report["frames"] == {"captured": len(clip.frames), "processed": len(clip.frames), "dropped": 0}
    assert report["fps"]["source"] == pytest.approx(200, rel=0.01)
    assert sink.closed == 1
    first = demo_truth()[0]
    found = match(first, pipeline.events.values())
    assert found is not None
    assert abs(found.span.apex.t_ns - first.span.apex.t_ns) < 40e6
    revisions = [item.revision for item in sink.items if item.id == found.id]
    assert revisions == list(range(1, len(revisions) + 1))
    for event in pipeline.events.values():
        assert event.delay_ns >= 0
        assert sum(ns for _, ns in event.stages_ns) == event.compute_ns
        assert event.probs.sum() == pytest.approx(1, abs=1e-5)


def test_a_replay_gives_the_same_events_at_any_pace(
    clip: Recording, recognizer: Recognizer, whole: tuple[Pipeline, Collect]
) -> None:
    (_, first), second, paced = whole, Collect(), Collect()
    run(again(clip), recognizer, second)
    assert first.items
    assert comparable(first.items) == comparable(second.items)
    pipeline = run(again(clip, pace="realtime"), recognizer, paced)
    if pipeline.dropped:
        pytest.skip(f"{pipeline.dropped} frames were dropped on this machine, so the replay differs")
    assert comparable(paced.items) == comparable(first.items)


def test_a_source_that_dies_leaves_complete_outputs(
    clip: Recording, recognizer: Recognizer, tmp_path: Path
) -> None:
    class Unplugged(MemorySource):
        def fill(self, slot: NDArray[np.uint8]) -> int | None:
            if self.captured == 50:
                raise SourceError("camera 0 stopped giving frames: plug it in again")
            return super().fill(slot)

    path = tmp_path / "e.jsonl"
    pipeline = Pipeline(Unplugged(clip.frames, fps=200.0), recognizer, [JsonlSink(path)])
    pipeline.start()
    assert pipeline.join(60)
    assert isinstance(pipeline.error, SourceError)
    assert pipeline.counters.processed == 50
    assert build_report(pipeline)["error"] == str(pipeline.error)
    assert path.exists()


def test_a_sink_that_fails_ends_the_run_and_says_why(clip: Recording, recognizer: Recognizer) -> None:
    class Full(Collect):
        def write(self, item: Event) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    sink = Full()
    pipeline = run(again(clip), recognizer, sink)
    assert isinstance(pipeline.error, OSError)
    assert sink.closed == 1


def test_a_live_source_that_is_too_fast_is_dropped_and_counted(
    clip: Recording, recognizer: Recognizer
) -> None:
    source = MemorySource(clip.frames[:300], fps=20_000.0, pace="realtime")
    pipeline = run(source, recognizer, Collect())
    assert pipeline.dropped > 0
    assert pipeline.counters.processed + pipeline.dropped == source.captured == 300


def test_stop_ends_an_endless_source_and_joins_every_thread(clip: Recording, recognizer: Recognizer) -> None:
    before = set(threading.enumerate())
    sink = Collect()
    source = MemorySource(clip.frames, fps=200.0, repeat="repeat")
    pipeline = Pipeline(source, recognizer, [sink], LiveConfig(ring_s=0.04))
    pipeline.start()
    assert not pipeline.join(0.2)
    pipeline.stop()
    assert pipeline.join(30)
    assert pipeline.error is None
    assert sink.closed == 1
    assert set(threading.enumerate()) <= before


def test_frames_without_a_face_give_no_event(recognizer: Recognizer) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 120, 160, 3), np.uint8)
    sink = Collect()
    pipeline = run(MemorySource(noise, fps=100.0), recognizer, sink)
    assert pipeline.counters.processed == 60
    assert pipeline.tracker.status == "none"
    assert sink.items == []


def test_a_landmarker_that_cannot_run_leaves_nothing_open(
    clip: Recording, recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_model(make: object = None) -> None:
        raise LandmarkerError("cannot read the face model: reinstall mer-live")

    monkeypatch.setattr("mer_live.realtime.pipeline.LandmarkThread", no_model)
    before = set(threading.enumerate())
    sink, source = Collect(), again(clip)
    released = []
    monkeypatch.setattr(source, "release", lambda: released.append(True))
    with pytest.raises(LandmarkerError), Pipeline(source, recognizer, [sink]):
        pass
    assert sink.closed == 1
    assert released
    assert set(threading.enumerate()) <= before


def test_a_source_that_does_not_start_leaves_nothing_open(
    clip: Recording, recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(threading.enumerate())
    sink, source = Collect(), again(clip)

    def fails(ring: object) -> None:
        raise SourceError("camera 0 went away: plug it in again")

    monkeypatch.setattr(source, "start", fails)
    pipeline = Pipeline(source, recognizer, [sink])
    with pytest.raises(SourceError):
        pipeline.start()
    assert pipeline.join(20)
    assert sink.closed == 1
    assert set(threading.enumerate()) <= before


def test_a_sink_that_does_not_close_keeps_no_other_open(clip: Recording, recognizer: Recognizer) -> None:
    class Stuck(Collect):
        def close(self) -> None:
            super().close()
            raise OSError(errno.ENOSPC, "No space left on device")

    first, second = Stuck(), Collect()
    pipeline = Pipeline(MemorySource(clip.frames[:20], fps=200.0), recognizer, [first, second])
    with pipeline:
        assert pipeline.join(60)
    assert (first.closed, second.closed) == (1, 1)
    assert isinstance(pipeline.error, OSError)


def test_a_spot_whose_frames_are_gone_is_withdrawn_and_counted(
    clip: Recording, recognizer: Recognizer
) -> None:
    sink = Collect()
    pipeline = Pipeline(again(clip), recognizer, [sink], LiveConfig(history_s=0.03))
    with pipeline:
        assert pipeline.join(240)
    assert pipeline.lost_spots >= 1
    assert build_report(pipeline)["lost_spots"] == pipeline.lost_spots
    assert not pipeline.events


@pytest.mark.parametrize(("width", "height"), [(3840, 2160), (7680, 4320)])
def test_large_pictures_take_no_gigabytes(width: int, height: int) -> None:
    class Large(MemorySource):
        def __init__(self, waits: bool) -> None:
            super().__init__(np.zeros((1, 2, 2, 3), np.uint8), fps=60.0)
            self.size, self.waits = (width, height), waits

    assert make_ring(Large(waits=True), LiveConfig()).capacity * width * height * 3 < 250e6
    if width < 5000:
        assert make_ring(Large(waits=False), LiveConfig()).capacity * width * height * 3 < 80e6
    else:
        with pytest.raises(SourceError, match="choose a smaller size"):
            make_ring(Large(waits=False), LiveConfig())


@pytest.mark.parametrize("name", ["atnet", "mtm", "sa-at"])
def test_the_bundle_changes_nothing_of_what_is_spotted(
    clip: Recording, whole: tuple[Pipeline, Collect], name: str
) -> None:
    def when(sink: Collect) -> list[tuple[object, ...]]:
        return [(item.id, item.state, item.span, item.decided, item.score) for item in sink.items]

    other = Collect()
    with Recognizer([load_bundle(name)], backend="onnxruntime") as one:
        run(again(clip), one, other)
    assert when(other)
    assert when(other) == when(whole[1]), "as madtn"


@dataclass(frozen=True)
class Pictures:
    """A recording as the readers of databases give it."""

    images: NDArray[np.uint8]

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(range(len(self.images)))

    def read(self, positions: range) -> Iterator[NDArray[np.uint8]]:
        yield from (self.images[k] for k in positions)


@pytest.mark.slow
def test_every_way_of_a_frame_gives_the_same_decisions(
    clip: Recording, whole: tuple[Pipeline, Collect], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live, frame by frame, as the spotter is fitted and judged, as sets are prepared, as latency is measured."""
    _, sink = whole
    live = [(item.id, item.span, item.decided) for item in sink.items]
    zero = clip.t_ns[0]

    with FacePath() as path:
        steps = [
            path.step(Frame(k, t, image))
            for k, (t, image) in enumerate(zip(clip.t_ns, clip.frames, strict=True))
        ]
        spots = [one.spot for step in steps for one in step.spotted] + [one.spot for one in path.finish()]
    assert [(s.id, s.span.since(zero), s.decided.since(zero)) for s in spots] == live

    recorded = tracked("demo", "natural", clip.frames, 200.0)
    judged = decide(recorded).decisions
    ends = pipeline_ends(sink)
    assert [d.span.apex.t_ns for d in judged] == [item.span.apex.t_ns for item in ends]

    sample = Sample("a", "a", "a/1", 0, 200.0, Pictures(clip.frames), 0, None, len(clip.frames) - 1)  # type: ignore[arg-type]
    spotted = spot_clip(
        sample, PrepareConfig(parse_representations("apex"), "deployable", lead_s=0, tail_s=0)
    )
    best = max((item for item in ends if item.state != "withdrawn"), key=lambda item: item.score)
    assert spotted is not None
    assert spotted[0].span == best.span

    class Kept(Pipeline):
        runs: ClassVar[list[Pipeline]] = []

        def start(self) -> None:
            self.runs.append(self)
            super().start()

    monkeypatch.setattr(latency, "Pipeline", Kept)
    held = HeldClip(clip.frames, np.asarray(clip.t_ns), ())
    latency._whole(Result("latency"), held, [load_bundle("madtn")])
    assert [item.span for item in Kept.runs[0].events.values()] == [
        item.span for item in ends if item.state != "withdrawn"
    ]


def pipeline_ends(sink: Collect) -> list[Event]:
    """The newest revision of each event."""
    return list({item.id: item for item in sink.items}.values())

"""``mer-bench latency``: every stage alone and the whole path, batch 1, warm, and what the path adds."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.benchmarks.inputs import HeldClip, demo_recording
from mer_live.benchmarks.result import Figure, Result, Times
from mer_live.engines.bundle import Bundle, load_bundle
from mer_live.engines.errors import BackendError
from mer_live.engines.representation.adm import adm_row, adm_rows
from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.motion_image import resize_gray
from mer_live.engines.representation.represent import network_input, represent
from mer_live.engines.representation.specs import AdmSpec, FlowConfig, RepresentationSpec
from mer_live.engines.runners import BACKENDS, open_runner
from mer_live.realtime.config import BUNDLES, LiveConfig
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.face.finder import FaceFinder
from mer_live.realtime.face.landmarks import Landmarker
from mer_live.realtime.face.tracker import FaceTracker
from mer_live.realtime.path import FacePath
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.process import settle_memory, settle_process
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.ring import FrameRing
from mer_live.realtime.sinks import CsvSink, JsonlSink, Sink
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.memory import MemorySource
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.types import Event, FaceCrop, Frame

_WARM = 5
_OVERHEAD_TARGET = 1.08


def run(quick: bool = False, repeats: int | None = None) -> Result:
    """Measure; about 20 s quick, 90 s in full. ``repeats`` of a stage: 30 quick, 200 in full."""
    settle_process()
    result = Result("latency", {"quick": quick, "input": "demo clip, 640x480, 200 fps, in memory"})
    recording = demo_recording(2.5 if quick else None)
    repeats = repeats or (30 if quick else 200)
    crops = _crops(recording)
    result.times += [
        Times.of("decode (H.264, 1 thread)", _decode(10 * repeats), "alone"),
        *_ring(recording, 10 * repeats),
        Times.of("landmarks", _landmarks(recording, repeats), "alone"),
        *_flows(crops, repeats),
    ]
    clip = _clip(crops)
    bundles = [load_bundle(name) for name in BUNDLES]
    result.times += [*_representations(bundles, clip, repeats), *_engines(bundles, clip, repeats)]
    result.time_kernel()
    _whole(result, recording, bundles)
    result.time_kernel()
    return result


def _timed(call: Callable[[], object], repeats: int) -> list[int]:
    for _ in range(_WARM):
        call()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter_ns()
        call()
        taken.append(time.perf_counter_ns() - started)
    return taken


def _decode(frames: int) -> list[int]:
    source = open_source(CameraConfig(source=str(demo_clip())))
    width, height = source.size
    slot, taken = np.empty((height, width, 3), np.uint8), []
    for _ in range(frames):
        started = time.perf_counter_ns()
        if source.fill(slot) is None:
            break
        taken.append(time.perf_counter_ns() - started)
    source.stop()
    return taken[_WARM:]


def _ring(recording: HeldClip, frames: int) -> Iterator[Times]:
    """One write and one read after the other, on one thread: the copy and the bookkeeping."""
    _, height, width, _ = recording.frames.shape
    ring = FrameRing(16, height, width, block=False)
    reader = ring.reader()
    writes, reads = [], []
    for k in range(frames):
        started = time.perf_counter_ns()
        ring.write(recording.frames[k % len(recording.frames)], k + 1)
        written = time.perf_counter_ns()
        reader.read()
        writes.append(written - started)
        reads.append(time.perf_counter_ns() - written)
    yield Times.of("ring write (640x480x3 copied)", writes[_WARM:], "alone")
    yield Times.of("ring read", reads[_WARM:], "alone")


def _landmarks(recording: HeldClip, repeats: int) -> list[int]:
    landmarker = Landmarker()
    images = cycle(recording.frames)
    taken = _timed(lambda: landmarker.detect(next(images)), repeats)
    landmarker.close()
    return taken


def _crops(recording: HeldClip) -> list[FaceCrop]:
    with FaceTracker(FaceFinder(deterministic=True)) as tracker:
        frames = zip(recording.t_ns.tolist(), recording.frames, strict=True)
        found = (tracker.crop(Frame(k, t_ns, image)) for k, (t_ns, image) in enumerate(frames))
        return [crop for crop in found if crop is not None]


def _flows(crops: list[FaceCrop], repeats: int) -> Iterator[Times]:
    presets = [FlowConfig(method="dis", preset=name) for name in ("ultrafast", "fast", "medium")]
    for config in [*presets, FlowConfig(method="farneback")]:
        name = config.preset if config.method == "dis" else ""
        for side in (112, 224):
            grays = [cv2.resize(c.gray, (side, side), interpolation=cv2.INTER_AREA) for c in crops[:40]]
            flow, pairs = make_flow(config), iter(range(10**9))

            def one(flow=flow, grays=grays, pairs=pairs):  # type: ignore[no-untyped-def]
                k = next(pairs) % (len(grays) - 1)
                return flow(grays[k], grays[k + 1])

            yield Times.of(
                f"flow {config.method} {name} {side}".replace("  ", " "), _timed(one, repeats), "alone"
            )
    before, after = (resize_gray(crop.gray, AdmSpec().flow_px) for crop in crops[:2])
    field = make_flow(AdmSpec().flow)(before, after).copy()
    yield Times.of("ADM row", _timed(lambda: adm_row(field), repeats), "alone")


def _clip(crops: list[FaceCrop]) -> Clip:
    """Half a second of crops as a spot's clip, ADM rows known as they are live."""
    part, spec = crops[:100], AdmSpec()
    gray, times = np.stack([c.gray for c in part]), np.asarray([c.t_ns for c in part], np.int64)
    adm = adm_rows(gray, make_flow(spec.flow), spec.direction, flow_px=spec.flow_px)
    return Clip(gray, times, onset=0, apex=len(part) // 2, offset=len(part) - 1, adm=adm)


def _representations(bundles: list[Bundle], clip: Clip, repeats: int) -> Iterator[Times]:
    for spec in dict.fromkeys(wanted.representation for b in bundles for wanted in b.card.inputs):
        taken = _timed(partial(_represented, clip, spec), repeats)
        yield Times.of(f"representation {spec.name}", taken, "once a spot")


def _represented(clip: Clip, spec: RepresentationSpec) -> NDArray[np.float32]:
    return network_input(represent(clip, spec), spec)


def _engines(bundles: list[Bundle], clip: Clip, repeats: int) -> Iterator[Times]:
    for bundle in bundles:
        inputs = {
            wanted.name: _represented(clip, wanted.representation)[None] for wanted in bundle.card.inputs
        }
        for backend in BACKENDS[1:]:
            for threads in (1, 2):
                try:
                    with open_runner(bundle, backend=backend, threads=threads) as runner:
                        taken = _timed(partial(runner.infer, inputs), repeats)
                except BackendError:
                    break
                yield Times.of(f"{bundle.card.name} {backend} {threads} thread(s)", taken, "once a spot")


def _whole(result: Result, recording: HeldClip, bundles: list[Bundle]) -> None:
    """The pipeline from memory to sinks, and the same kernels bare before and after it, in one run."""
    with tempfile.TemporaryDirectory() as folder, Recognizer(bundles) as recognizer:
        settle_memory()
        bare, before_ms = _bare(recording, recognizer)
        sinks: list[Sink] = [JsonlSink(Path(folder) / "e.jsonl"), CsvSink(Path(folder) / "e.csv")]
        source = MemorySource(recording.frames, t_ns=recording.t_ns.tolist())
        pipeline = Pipeline(source, recognizer, sinks)
        pipeline.start()
        pipeline.join()
        if pipeline.error is not None:
            raise pipeline.error
        _, after_ms = _bare(recording, recognizer)
        event = next(iter(pipeline.events.values()), None)
        if event is not None:
            result.times += _sinks(event, Path(folder))
    count, kernels_ms = pipeline.counters, (before_ms + after_ms) / 2
    wall_ms = (count.last_done_ns - count.first_done_ns) / 1e6 / max(1, count.processed - 1)
    result.times += bare
    for name in ("crop", "motion", "spotter", "frame", "recognise", "emit"):
        if count.stages[name].n:
            result.times.append(Times.counted(name, count.stages[name], "whole path"))
    result.figures += [
        Figure(
            "whole path per frame",
            wall_ms,
            "ms",
            count.processed,
            note="wall clock, max pace, landmarks beside",
        ),
        Figure(
            "bare kernels per frame",
            kernels_ms,
            "ms",
            bare[0].n,
            low=min(before_ms, after_ms),
            high=max(before_ms, after_ms),
            note="ring + crop + motion + spotter, mean; before and after the path",
        ),
        Figure("overhead_ratio", wall_ms / kernels_ms, "", count.processed, target=_OVERHEAD_TARGET),
    ]


def _bare(recording: HeldClip, recognizer: Recognizer) -> tuple[list[Times], float]:
    """What every frame needs, called in a plain loop: no threads, no queues, no landmarks; its mean, ms."""
    _, height, width, _ = recording.frames.shape
    slot = np.empty((height, width, 3), np.uint8)
    taken: dict[str, list[int]] = {"ring": [], "crop": [], "motion": [], "spotter": []}
    lap = [0]

    def mark(stage: str) -> None:
        now = time.perf_counter_ns()
        taken[stage].append(now - lap[0])
        lap[0] = now

    once = LiveConfig(landmark_period_ms=3_600_000)  # landmarks of the first frame, and never again
    path = FacePath(  # as the pipeline lays it out
        once, adm=recognizer.adm, mark=mark, stage=recognizer.open_stage, looks_at=recognizer.looks_at
    )
    with path:
        for k, (t_ns, frame) in enumerate(zip(recording.t_ns.tolist(), recording.frames, strict=True)):
            lap[0] = time.perf_counter_ns()
            np.copyto(slot, frame)
            mark("ring")
            if path.step(Frame(k, t_ns, slot)).crop is None:
                raise ValueError("no face in the first frame of the clip")
    mean_ms = float(np.sum([times[_WARM:] for times in taken.values()])) / (k + 1 - _WARM) / 1e6
    return [Times.of(f"bare {name}", times[_WARM:], "bare kernels") for name, times in taken.items()], mean_ms


def _sinks(event: Event, folder: Path) -> Iterator[Times]:
    for sink in (JsonlSink(folder / "alone.jsonl"), CsvSink(folder / "alone.csv")):
        yield Times.of(type(sink).__name__, _timed(partial(sink.write, event), 200), "once a spot")
        sink.close()

"""``mer-bench gpu``: one command for a machine with a card: is it right, and how fast is it?

With ``device="cpu"`` the same code runs without graphs, streams and TensorRT, so that its own tests need no card.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mer_live.benchmarks.gpu.cameras import camera_figures
from mer_live.benchmarks.gpu.inputs import FARNEBACK, demo_crops, describe, spot_clip
from mer_live.benchmarks.gpu.page import write_page
from mer_live.benchmarks.gpu.parity import events_figure, flow_figures, image_figures, runner_figure
from mer_live.benchmarks.gpu.timing import Stopwatch
from mer_live.benchmarks.inputs import demo_recording, looped
from mer_live.benchmarks.result import Figure, Result
from mer_live.engines.bundle import Bundle, load_bundle
from mer_live.engines.device.choice import DeviceChoice, choose_device
from mer_live.engines.device.device import Device
from mer_live.engines.device.farneback import TorchFarneback
from mer_live.engines.device.inputs import with_device_flow
from mer_live.engines.device.ops import adm_rows
from mer_live.engines.device.rows import AdmRows
from mer_live.engines.errors import BackendError
from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.specs import AdmSpec
from mer_live.engines.runners import Runner, open_runner
from mer_live.engines.runners.tensorrt import TensorRtRunner
from mer_live.engines.trt.file import Precision
from mer_live.engines.trt.library import installed_flavours
from mer_live.engines.trt.onnx import sample_inputs
from mer_live.realtime.config import BUNDLES
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.face.crop import CROP_SIZE
from mer_live.realtime.motion.cpu import CpuStage
from mer_live.realtime.motion.cuda import CudaStage
from mer_live.realtime.motion.stage import FlowSpec, MotionStage
from mer_live.realtime.process import settle_process
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.open import open_source

CAMERAS, RATES = (1, 2, 4, 8, 16), (60, 120, 200)
SPOT_FRAMES = 40
ROWS = AdmSpec(flow=FARNEBACK)


def run(
    quick: bool = False,
    device: str = "cuda",
    bundles: Sequence[str] = BUNDLES,
    page: Path | None = None,
    repeats: int | None = None,
) -> Result:
    """Parity first, then times; BackendError without the device, BundleError without the bundles.

    ``page``: also write a one-page Markdown report there. ``repeats``: calls per stage (default: 1000 on a
    GPU, 30 on a CPU, a tenth of that when quick).
    """
    choice = choose_device("cpu-torch" if device == "cpu" else device)
    settle_process()
    place = Device(choice.torch or "cpu")
    opened = [load_bundle(name) for name in bundles]
    same = [with_device_flow(bundle) for bundle in opened]
    result = Result("gpu", {"quick": quick, "device": device, "bundles": list(bundles)})
    result.machine["device"] = describe(place.torch)
    usual = (1000 if place.cuda else 30) // (10 if quick else 1)
    stopwatch = Stopwatch(place.torch, repeats or usual)
    crops = demo_crops(SPOT_FRAMES)
    clip = spot_clip(crops)
    result.figures += flow_figures(crops, place) + image_figures([clip] * 2, place)
    for bundle in opened:
        _engines(result, stopwatch, bundle)
    _event_lists(result, opened, same, choice, quick)
    _frame_times(result, stopwatch, crops, place)
    _spot_times(result, stopwatch, opened, same, choice, clip)
    counts, rates, seconds = ((1, 2), (60,), 0.5) if quick else (CAMERAS, RATES, 10.0)
    result.figures += camera_figures(same, choice, demo_recording(0.5), counts, rates, seconds)
    if page is not None:
        write_page(result, page)
    return result


def _engines(result: Result, stopwatch: Stopwatch, bundle: Bundle) -> None:
    """Each way to run a network: its parity, and its times alone and for as many spots as go together."""
    name = bundle.card.name
    for kind, precision, opening in _ways(bundle, stopwatch.device):
        try:
            with opening() as runner:
                device = stopwatch.device if runner.backend in ("tensorrt", "torch") else torch.device("cpu")
                result.figures.append(runner_figure(runner, bundle, device, f"{name}, {kind}", precision))
                for batch in (1, 8):
                    inputs = {
                        key: torch.from_numpy(array).to(device)
                        for key, array in sample_inputs(bundle, batch, seed=0).items()
                    }
                    call = partial(runner.infer_tensors, inputs)
                    result.times += stopwatch.measure(f"{name}, {kind}, batch {batch}", call, "networks")
        except BackendError as error:
            result.figures.append(Figure(f"{name}, {kind}", None, note=str(error)))


def _ways(bundle: Bundle, device: torch.device) -> Iterator[tuple[str, Precision, Callable[[], Runner]]]:
    yield "openvino", "fp32", partial(open_runner, bundle, "openvino")
    yield "torch", "fp32", partial(open_runner, bundle, "torch", device=str(device))
    precisions: tuple[Precision, ...] = ("fp32", "fp16")
    for flavour in installed_flavours() or ["tensorrt"]:
        for precision in precisions:
            where = str(device) if device.type == "cuda" else "cuda"
            opening = partial(TensorRtRunner, bundle, precision=precision, flavour=flavour, device=where)
            yield f"{flavour} {precision}", precision, opening


def _event_lists(
    result: Result, opened: Sequence[Bundle], same: Sequence[Bundle], choice: DeviceChoice, quick: bool
) -> None:
    """With the bundles as their cards have them, and with one flow on both sides."""
    with tempfile.TemporaryDirectory() as folder:
        clips = {"2 s of the demo clip" if quick else "the demo clip": (demo_clip(), 2.0 if quick else None)}
        if not quick:
            clips["a clip of 30 s"] = (looped(demo_clip(), Path(folder) / "long.mp4", 30), None)
        for what, (path, seconds) in clips.items():
            clip = partial(open_source, CameraConfig(source=str(path), duration_s=seconds))
            for flow, bundles in (("Farneback", same), ("as shipped", opened))[: 1 if quick else 2]:
                result.figures.append(events_figure(f"{what}, {flow}", bundles, choice, clip))


def _frame_times(result: Result, stopwatch: Stopwatch, crops: NDArray[np.uint8], place: Device) -> None:
    """The motion stage on the CPU and on the device, and what its time is made of."""
    group, points = "a frame: flow at the points and ADM row", np.full((118, 2), 100.0, np.float32)
    rows = AdmRows(place, ROWS)
    stages: dict[str, MotionStage] = {
        "CPU, DIS": CpuStage(CROP_SIZE, FlowSpec(), AdmSpec()),
        "CPU, Farneback": CpuStage(CROP_SIZE, FlowSpec(), ROWS),
        "device, Farneback": CudaStage(CROP_SIZE, FlowSpec(), rows),
    }
    for what, stage in stages.items():
        stage.restart(crops[0])
        result.times += stopwatch.measure(what, partial(_step, stage, crops[8], points), group)
    flow = TorchFarneback(CROP_SIZE, CROP_SIZE, FARNEBACK).to(place.torch)
    stream = place.stream()
    group = "what a frame is made of"
    host = place.pinned(1, CROP_SIZE, CROP_SIZE, dtype=torch.uint8)
    there = place.zeros(1, CROP_SIZE, CROP_SIZE, dtype=torch.uint8)
    result.times += stopwatch.measure("upload", lambda: there.copy_(host, non_blocking=True), group)
    for faces in (1, 8):
        with torch.no_grad():
            images = torch.from_numpy(crops[:faces].copy()).to(place.torch).float()
            before = flow.expand(torch.from_numpy(crops[8 : 8 + faces].copy()).to(place.torch).float())
        replay = place.captured(partial(_row, flow, before, images), stream)
        result.times += stopwatch.measure(
            f"flow and row, {faces} faces", partial(_on, place, stream, replay), group, stream
        )
    times = {t.name: t.p50 for t in result.times}
    ratio = times["device, Farneback (wall)"] / times["CPU, Farneback (wall)"]
    note = f"median, {torch.get_num_threads()} torch threads"
    result.figures.append(
        Figure("a frame, device over CPU, same flow", ratio, "", stopwatch.repeats, target=4.0, note=note)
    )


def _step(stage: MotionStage, gray: NDArray[np.uint8], points: NDArray[np.float32]) -> None:
    stage.step(gray, points)
    stage.row()


@torch.no_grad()
def _row(flow: TorchFarneback, before: tuple[torch.Tensor, ...], images: torch.Tensor) -> torch.Tensor:
    return adm_rows(flow.displace(before, flow.expand(images)))


def _on(place: Device, stream: object, replay: Callable[[], torch.Tensor]) -> None:
    with place.on(stream):
        replay()


def _spot_times(
    result: Result,
    stopwatch: Stopwatch,
    opened: Sequence[Bundle],
    same: Sequence[Bundle],
    choice: DeviceChoice,
    clip: Clip,
) -> None:
    """Representations and networks of one spot: the CPU as shipped, and the device with its own flow."""
    ways: list[tuple[str, Sequence[Bundle], DeviceChoice, str, Precision]] = [
        ("CPU, openvino", opened, DeviceChoice("cpu", "to compare"), "openvino", "fp32"),
        (f"{choice.name}, torch", same, choice, "torch", "fp32"),
    ]
    if stopwatch.device.type == "cuda":
        ways += [
            (f"{choice.name}, tensorrt fp32", same, choice, "tensorrt", "fp32"),
            (f"{choice.name}, tensorrt fp16", same, choice, "tensorrt", "fp16"),
        ]
    for what, bundles, where, backend, precision in ways:
        with (
            _told(result, what),
            Recognizer(bundles, backend, device=where, precision=precision) as opened_ones,
        ):
            result.times += stopwatch.measure(what, partial(opened_ones.recognize, clip), "a spot")


@contextmanager
def _told(result: Result, what: str) -> Iterator[None]:
    """What cannot be had leaves a figure that says why."""
    try:
        yield
    except BackendError as error:
        result.figures.append(Figure(f"a spot, {what}", None, note=str(error)))

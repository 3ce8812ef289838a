"""``mer-bench gpu``: one command for a machine with a card: is it right, and how fast is it?

With ``device="cpu"`` the same code runs without graphs, events and TensorRT, so that its own tests need no card.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mer_live.benchmarks.gpu.inputs import FARNEBACK, demo_crops, describe, with_farneback
from mer_live.benchmarks.gpu.page import write_page
from mer_live.benchmarks.gpu.parity import flow_figures, network_figure, path_figure
from mer_live.benchmarks.gpu.timing import Stopwatch
from mer_live.benchmarks.result import Figure, Result
from mer_live.engines.bundle import Bundle, load_bundle
from mer_live.engines.device.farneback import TorchFarneback
from mer_live.engines.device.networks import DeviceNetwork, EngineDeviceNetwork, TorchDeviceNetwork
from mer_live.engines.device.path import DeviceConfig, DevicePath
from mer_live.engines.errors import BackendError, EngineError
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.trt.file import Precision
from mer_live.engines.trt.library import installed_flavours
from mer_live.engines.trt.onnx import sample_inputs

CAMERAS = (1, 2, 4, 8, 16)
SPOT_FRAMES = 40


def run(
    quick: bool = False,
    device: str = "cuda",
    bundles: Sequence[str] = ("madtn", "atnet"),
    cameras: Sequence[int] = CAMERAS,
    page: Path | None = None,
    repeats: int | None = None,
) -> Result:
    """Parity first, then times; BackendError without the device, BundleError without the bundles.

    ``page``: also write a one-page Markdown report there. ``repeats``: calls per stage (default: 1000 on a
    GPU, 30 on a CPU, a tenth of that when quick).
    """
    place = torch.device(device)
    if place.type == "cuda" and not torch.cuda.is_available():
        raise BackendError(
            'torch sees no NVIDIA GPU here; on a machine with one: pip install "mer-live[gpu]". '
            "To try the benchmark itself: mer-bench gpu --device cpu"
        )
    opened = [with_farneback(load_bundle(name)) for name in bundles]
    result = Result("gpu", {"quick": quick, "device": device, "bundles": list(bundles), "flow": "farneback"})
    result.machine["device"] = describe(place)
    usual = (1000 if place.type == "cuda" else 30) // (10 if quick else 1)
    stopwatch = Stopwatch(place, repeats or usual)
    crops = demo_crops(SPOT_FRAMES)
    result.figures += flow_figures(crops, place)
    _flow_times(result, stopwatch, crops)
    networks = _networks(result, opened, place)
    _network_times(result, stopwatch, networks)
    with _streams_apart(opened) as parts:
        _network_times(result, stopwatch, _networks(result, parts, place), group="ATNet's streams apart")
    for kind in dict.fromkeys(kind for kind, _ in networks):
        chosen = [network for k, network in networks if k == kind]
        if len(chosen) == len(opened):  # an engine that could not be had leaves a figure that says why
            _path_times(result, stopwatch, chosen, opened, crops, kind)
    _camera_rates(result, stopwatch, opened, crops, cameras)
    if page is not None:
        write_page(result, page)
    return result


def _flow_times(result: Result, stopwatch: Stopwatch, crops: NDArray[np.uint8]) -> None:
    group = "flow, 224 px"
    network = TorchFarneback(224, 224, FARNEBACK).to(stopwatch.device)
    for batch in (1, 8):
        prev, following = (
            torch.from_numpy(crops[k : k + batch].copy()).to(stopwatch.device).float() for k in (0, 8)
        )
        one, two = network.expand(prev), network.expand(following)
        what = f"Farneback, batch {batch}"
        result.times += stopwatch.measure(what, partial(network, prev, following), group)
        result.times += stopwatch.measure(f"{what}: expansion", partial(network.expand, prev), group)
        result.times += stopwatch.measure(
            f"{what}: displacement",
            partial(network.displace, one, two),
            group,
        )
    opencv = make_flow(FARNEBACK)
    result.times += stopwatch.measure(
        "OpenCV's Farneback on the CPU", lambda: opencv(crops[0], crops[8]), group
    )[:1]
    times = {t.name: t.p50 for t in result.times}
    reference = times["OpenCV's Farneback on the CPU (wall)"]
    for batch in (1, 8):
        ratio = times[f"Farneback, batch {batch} (wall)"] / batch / reference
        note = f"median, {torch.get_num_threads()} torch threads"
        result.figures.append(
            Figure(
                f"flow, time a pair over OpenCV's, batch {batch}",
                ratio,
                "",
                stopwatch.repeats,
                target=3.0,
                note=note,
            )
        )
    host = torch.from_numpy(crops[:1].copy())
    pinned = host.pin_memory() if stopwatch.device.type == "cuda" else host
    there = torch.empty_like(host, device=stopwatch.device)
    group = "copy of one crop to the device"
    result.times += stopwatch.measure("pinned", lambda: there.copy_(pinned, non_blocking=True), group)
    result.times += stopwatch.measure("pageable", lambda: there.copy_(host), group)


def _networks(
    result: Result, bundles: Sequence[Bundle], device: torch.device
) -> list[tuple[str, DeviceNetwork]]:
    """Every bundle in torch and in each engine that can be had, with its parity; (kind, network)."""
    found: list[tuple[str, DeviceNetwork]] = []
    precisions: tuple[Precision, ...] = ("fp32", "fp16")
    for bundle in bundles:
        name = bundle.card.name
        plain = TorchDeviceNetwork(bundle, device)
        found.append(("torch", plain))
        result.figures.append(network_figure(plain, device, f"{name}, torch", "fp32"))
        if device.type != "cuda":
            result.figures.append(Figure(f"{name}, engines", None, note="TensorRT needs a GPU"))
            continue
        for flavour in installed_flavours():
            for precision in precisions:
                kind = f"{flavour} {precision}"
                try:
                    engine = EngineDeviceNetwork.open(bundle, precision, flavour)
                    figure = network_figure(engine, device, f"{name}, {kind}", precision)
                except (EngineError, BackendError) as error:
                    result.figures.append(Figure(f"{name}, {kind}", None, note=str(error)))
                    continue
                found.append((kind, engine))
                result.figures.append(figure)
    return found


def _network_times(
    result: Result, stopwatch: Stopwatch, networks: list[tuple[str, DeviceNetwork]], group: str = "networks"
) -> None:
    for kind, network in networks:
        inputs = {
            name: torch.from_numpy(array).to(stopwatch.device)
            for name, array in sample_inputs(network.bundle, 1, seed=0).items()
        }
        with torch.no_grad():
            call = f"{network.bundle.card.name}, {kind}"
            result.times += stopwatch.measure(call, partial(network, inputs), group)


@contextmanager
def _streams_apart(bundles: Sequence[Bundle]) -> Iterator[list[Bundle]]:
    """A bundle for each stream of every two-stream ATNet, with its own weights and a cut classifier."""
    from mer_live.benchmarks.gpu.parts import stream_bundles

    with tempfile.TemporaryDirectory() as folder:
        yield [part for bundle in bundles for part in stream_bundles(bundle, Path(folder))]


def _path_times(
    result: Result,
    stopwatch: Stopwatch,
    networks: Sequence[DeviceNetwork],
    bundles: Sequence[Bundle],
    crops: NDArray[np.uint8],
    kind: str,
) -> None:
    """A frame and a spot with graphs and without; the first path also proves itself."""
    last = len(crops) - 1
    frame, fresh = np.ascontiguousarray(crops[last:]), np.zeros(1, bool)
    group = f"path, {kind}"
    for capture in (True, False) if stopwatch.device.type == "cuda" else (False,):
        path = DevicePath(networks, str(stopwatch.device), DeviceConfig(capture=capture))
        how = "graph" if capture else "no graph"
        figure = path_figure(path, bundles, crops)
        result.figures.append(replace(figure, name=f"{kind}, {how}: {figure.name}"))
        result.times += stopwatch.measure(
            f"frame, {how}", partial(path.push, frame, fresh), group, path.stream
        )

        def spot(path: DevicePath = path) -> None:
            newest = path.frames - 1
            path.recognize(0, newest - last + 2, newest - last // 2, newest)

        result.times += stopwatch.measure(f"spot, {how}", spot, group, path.stream)


def _camera_rates(
    result: Result,
    stopwatch: Stopwatch,
    bundles: Sequence[Bundle],
    crops: NDArray[np.uint8],
    cameras: Sequence[int],
) -> None:
    networks = [TorchDeviceNetwork(bundle, stopwatch.device) for bundle in bundles]
    for count in cameras:
        path = DevicePath(networks, str(stopwatch.device), DeviceConfig(streams=count, capacity=64))
        frames = np.repeat(crops[:1], count, axis=0)
        fresh = np.zeros(count, bool)
        fps = stopwatch.rate(partial(path.push, frames, fresh))
        figure = Figure(
            f"{count} cameras, each", fps, "fps", stopwatch.repeats, better="higher", note="frame path"
        )
        result.figures.append(figure)

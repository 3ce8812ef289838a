"""Does the device compute what the CPU does? Flow, ADM rows, motion images, engines, and whole event lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mer_live.benchmarks.gpu.inputs import FARNEBACK
from mer_live.benchmarks.result import Figure
from mer_live.engines.bundle import Bundle
from mer_live.engines.device.choice import DeviceChoice
from mer_live.engines.device.device import Device
from mer_live.engines.device.farneback import TorchFarneback
from mer_live.engines.device.inputs import DeviceInputs
from mer_live.engines.device.ops import adm_rows as device_adm_rows
from mer_live.engines.parity import parity_error
from mer_live.engines.representation.adm import adm_row
from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.represent import network_input, represent
from mer_live.engines.representation.specs import MotionSpec
from mer_live.engines.runners import Runner
from mer_live.engines.trt.file import Precision
from mer_live.engines.trt.onnx import half_error, run_onnx, sample_inputs
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.types import Event


def flow_figures(crops: NDArray[np.uint8], device: Device) -> list[Figure]:
    """Farneback and ADM rows of pairs some frames apart, against OpenCV and numpy."""
    pairs = [(crops[k], crops[min(k + step, len(crops) - 1)]) for step in (1, 8) for k in range(0, 16, 4)]
    network = TorchFarneback(crops.shape[1], crops.shape[2], FARNEBACK).to(device.torch)
    prev, following = (
        torch.from_numpy(np.stack(p)).to(device.torch).float() for p in zip(*pairs, strict=True)
    )
    got = network.displace(network.expand(prev), network.expand(following)).permute(0, 2, 3, 1).cpu().numpy()
    opencv = make_flow(FARNEBACK)
    expected = np.stack([opencv(a, b).copy() for a, b in pairs])
    error = np.linalg.norm(got - expected, axis=-1)
    # The same flow goes into both sides of the rows, so that each difference has one cause.
    rows = device_adm_rows(torch.from_numpy(expected).permute(0, 3, 1, 2).to(device.torch)).cpu().numpy()
    px = np.abs(rows - np.stack([adm_row(f) for f in expected]))[:, 1::2]
    n = len(pairs)
    return [
        Figure("flow, mean difference to OpenCV", float(error.mean()), "px", n, target=0.02),
        Figure(
            "flow, 99th percentile inside",
            float(np.percentile(error[:, 15:-15, 15:-15], 99)),
            "px",
            n,
            target=0.2,
        ),
        Figure("ADM, largest of magnitudes", float(px.max()), "px", n, target=1e-3),
    ]


def image_figures(clips: Sequence[Clip], device: Device) -> list[Figure]:
    """Motion images of clips made together, in gray levels, against the CPU's one by one."""
    spec = MotionSpec(flow=FARNEBACK)
    got = DeviceInputs(device, len(clips)).make(clips, spec).cpu().numpy()
    expected = np.stack([network_input(represent(clip, spec), spec) for clip in clips])
    levels = np.abs(got - expected) * 255
    n = len(clips)
    return [
        Figure("motion image, mean of gray levels", float(levels.mean()), "levels", n, target=0.1),
        Figure("motion image, largest", float(levels.max()), "levels", n, target=3),
    ]


def runner_figure(
    runner: Runner, bundle: Bundle, device: torch.device, what: str, precision: Precision
) -> Figure:
    """One engine against ONNX Runtime in float32 on the CPU, as a multiple of what is allowed."""
    worst = 0.0
    for seed in range(4):
        inputs = sample_inputs(bundle, 1, seed)
        expected = run_onnx(bundle.onnx_path.read_bytes(), inputs)
        got = runner.infer_tensors({name: torch.from_numpy(a).to(device) for name, a in inputs.items()})
        worst = max(worst, (parity_error if precision == "fp32" else half_error)(got, expected))
    return Figure(f"{what}, difference to ONNX Runtime", worst, "of what is allowed", 4, target=1.0)


def events_figure(
    what: str, bundles: Sequence[Bundle], choice: DeviceChoice, open_clip: Callable[[], FrameSource]
) -> Figure:
    """The events of a clip by way of the device against those by way of the CPU, both from its frames on."""
    cpu, device = (
        _events(bundles, where, open_clip) for where in (DeviceChoice("cpu", "to compare"), choice)
    )
    alike = sum(any(_alike(one, other) for other in device) for one in cpu)
    most = max(len(cpu), len(device))
    return Figure(
        f"events of {what}: same class, apex within a frame",
        alike / most if most else None,
        "",
        most,
        target=1.0,
        better="higher",
        note=f"{len(cpu)} by way of the CPU, {len(device)} by way of the device",
    )


def _events(
    bundles: Sequence[Bundle], where: DeviceChoice, open_clip: Callable[[], FrameSource]
) -> list[Event]:
    with Recognizer(bundles, device=where) as recognizer, open_clip() as source:
        with Pipeline(source, recognizer) as pipeline:
            pipeline.join()
        if pipeline.error is not None:
            raise pipeline.error
        return list(pipeline.events.values())


def _alike(one: Event, other: Event) -> bool:
    return one.label == other.label and abs(one.span.apex.frame - other.span.apex.frame) <= 1

"""Does the device compute what the CPU does? Flow, ADM rows, motion image, engines, and the path as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mer_live.benchmarks.gpu.inputs import FARNEBACK
from mer_live.benchmarks.result import Figure
from mer_live.engines.bundle import Bundle
from mer_live.engines.device.farneback import TorchFarneback
from mer_live.engines.device.networks import DeviceNetwork
from mer_live.engines.device.ops import adm_rows as device_adm_rows
from mer_live.engines.device.ops import flow_to_gray as device_flow_to_gray
from mer_live.engines.device.path import DevicePath
from mer_live.engines.parity import parity_error
from mer_live.engines.representation.adm import adm_row, adm_rows
from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.motion_image import flow_to_gray
from mer_live.engines.representation.represent import network_input, represent
from mer_live.engines.trt.file import Precision
from mer_live.engines.trt.onnx import half_error, run_onnx, sample_inputs


def flow_figures(crops: NDArray[np.uint8], device: torch.device) -> list[Figure]:
    """Farneback, ADM and flow image of pairs some frames apart, against OpenCV and numpy."""
    pairs = [(crops[k], crops[min(k + step, len(crops) - 1)]) for step in (1, 8) for k in range(0, 16, 4)]
    network = TorchFarneback(crops.shape[1], crops.shape[2], FARNEBACK).to(device)
    prev, following = (torch.from_numpy(np.stack(p)).to(device).float() for p in zip(*pairs, strict=True))
    flow = network(prev, following)
    got = flow.permute(0, 2, 3, 1).cpu().numpy()
    opencv = make_flow(FARNEBACK)
    expected = np.stack([opencv(a, b).copy() for a, b in pairs])
    error = np.linalg.norm(got - expected, axis=-1)
    inner = error[:, 15:-15, 15:-15]
    # The same flow goes into both sides of what follows, so each difference has one cause.
    same = torch.from_numpy(expected).permute(0, 3, 1, 2).to(device)
    rows = device_adm_rows(same).cpu().numpy()
    wanted = np.stack([adm_row(f) for f in expected])
    grays = device_flow_to_gray(same).cpu().numpy()
    levels = np.abs(grays - np.stack([flow_to_gray(f) for f in expected]).astype(np.float32))
    n = len(pairs)
    return [
        Figure("flow, mean difference to OpenCV", float(error.mean()), "px", n, target=0.02),
        Figure("flow, 99th percentile inside", float(np.percentile(inner, 99)), "px", n, target=0.2),
        Figure(
            "ADM, largest of magnitudes", float(np.abs(rows - wanted)[:, 1::2].max()), "px", n, target=1e-3
        ),
        Figure("flow image, mean of gray levels", float(levels.mean()), "levels", n, target=0.1),
        Figure("flow image, largest", float(levels.max()), "levels", n, target=3),
    ]


def network_figure(network: DeviceNetwork, device: torch.device, what: str, precision: Precision) -> Figure:
    """One network against ONNX Runtime in float32 on the CPU, as a multiple of what is allowed."""
    worst = 0.0
    for seed in range(4):
        inputs = sample_inputs(network.bundle, 1, seed)
        expected = run_onnx(network.bundle.onnx_path.read_bytes(), inputs)
        with torch.no_grad():
            got = network({name: torch.from_numpy(a).to(device) for name, a in inputs.items()}).cpu().numpy()
        worst = max(worst, (parity_error if precision == "fp32" else half_error)(got, expected))
    return Figure(f"{what}, difference to ONNX Runtime", worst, "of what is allowed", 4, target=1.0)


def path_figure(path: DevicePath, bundles: Sequence[Bundle], crops: NDArray[np.uint8]) -> Figure:
    """Probabilities of one spot through the whole device path against the CPU's representations and engines."""
    fresh = np.zeros(path.config.streams, bool)
    for crop in crops:
        number = path.push(np.broadcast_to(crop, (path.config.streams, *crop.shape)), fresh)
    first = number - len(crops) + 1
    onset, apex, offset = 2, len(crops) // 2, len(crops) - 2
    got = path.recognize(0, first + onset, first + apex, first + offset)
    cv2.setNumThreads(1)
    rows = adm_rows(crops, make_flow(FARNEBACK))
    stop = offset + 1
    clip = Clip(crops[:stop], np.arange(stop, dtype=np.int64), onset, apex, offset, rows[:stop])
    expected = np.zeros(len(got))
    for bundle in bundles:
        inputs = {
            i.name: network_input(represent(clip, i.representation), i.representation)[None]
            for i in bundle.card.inputs
        }
        logits = run_onnx(bundle.onnx_path.read_bytes(), inputs)[0].astype(np.float64)
        exponent = np.exp(logits - logits.max())
        expected += exponent / exponent.sum() / len(bundles)
    worst = float(np.abs(got - expected).max())
    return Figure("whole path, largest of probabilities", worst, "", 1, target=0.01)

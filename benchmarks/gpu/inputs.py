"""What ``mer-bench gpu`` runs on: real crops of the bundled clip, and the card's name."""

from __future__ import annotations

import subprocess
from dataclasses import asdict
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mer_live.benchmarks.inputs import demo_recording
from mer_live.engines.representation.adm import adm_rows
from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.specs import FlowConfig
from mer_live.engines.trt.gpu import present_gpu
from mer_live.engines.trt.library import MODULES, installed_flavours
from mer_live.realtime.face.crop import Cropper, crop_warp
from mer_live.realtime.face.landmarks import detect_landmarks

FARNEBACK = FlowConfig(method="farneback")
_QUERY = (
    "name,driver_version,pstate,clocks.sm,clocks.max.sm,clocks.mem,clocks.max.mem,power.limit,temperature.gpu"
)


def demo_crops(count: int) -> NDArray[np.uint8]:
    """(count, 224, 224) crops of the bundled clip, all with the warp of its first frame."""
    frames = demo_recording(count / 200 + 0.05).frames[:count]
    landmarks = detect_landmarks(frames[0])
    if landmarks is None:
        raise ValueError("no face was found in the bundled clip; install mer-live again")
    warp = crop_warp(landmarks)
    cropper = Cropper(warp, *frames[0].shape[:2])
    return np.stack([cropper.apply(frame) for frame in frames])


def spot_clip(crops: NDArray[np.uint8]) -> Clip:
    """A finished movement in crops (T, S, S), apex in the middle, ADM rows of Farneback flow with it."""
    stop = len(crops) - 1
    rows = adm_rows(crops[:stop], make_flow(FARNEBACK))
    return Clip(crops[:stop], np.arange(stop, dtype=np.int64), 2, len(crops) // 2, stop - 1, rows)


def describe(device: torch.device) -> dict[str, Any]:
    """Libraries and, on CUDA, GPU, driver and clocks as they are now."""
    found: dict[str, Any] = {"torch": torch.__version__, "torch_threads": torch.get_num_threads()}
    for flavour in installed_flavours():
        found[flavour] = import_module(MODULES[flavour]).__version__
    if device.type == "cuda":
        gpu = present_gpu()
        found["cuda_of_torch"] = torch.version.cuda
        found["gpu"] = None if gpu is None else asdict(gpu)
        found["nvidia_smi"] = _nvidia_smi()
    return found


def _nvidia_smi() -> dict[str, str] | str:
    command = ["nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader", "--id=0"]
    try:
        line = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return f"not available: {error}"
    return dict(zip(_QUERY.split(","), (part.strip() for part in line.split(",")), strict=False))

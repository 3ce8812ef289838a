"""What the networks see of clips, as tensors on a device: made there where it can, else carried up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mer_live.engines.bundle import Bundle
from mer_live.engines.device.device import Device
from mer_live.engines.device.images import MotionImages
from mer_live.engines.errors import BundleError
from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.flow import Flow, make_flow
from mer_live.engines.representation.head import INSIDE
from mer_live.engines.representation.represent import motion_crops, network_input, represent
from mer_live.engines.representation.specs import AdmSpec, FlowConfig, MotionSpec, RepresentationSpec


def made_on_device(spec: RepresentationSpec, size: int = 224) -> bool:
    """Whether a representation of flow has a device version; those without flow need none."""
    if isinstance(spec, MotionSpec):
        fits = size % spec.size == 0 and not (spec.steady and spec.size % len(INSIDE))
        return spec.flow.method == "farneback" and fits
    if isinstance(spec, AdmSpec):
        return spec.flow.method == "farneback" and size % spec.flow_px == 0
    return False


def with_device_flow(bundle: Bundle) -> Bundle:
    """The bundle with the flow that the device computes; as it is where its card permits no other than its own."""
    try:
        return bundle.with_flow("farneback")
    except BundleError:
        return bundle


class DeviceInputs:
    """The inputs of up to ``most`` clips at once; used by one thread at a time."""

    def __init__(self, device: Device, most: int) -> None:
        self.device = device
        self.stream = device.stream()
        """On which inputs are made and read."""
        self._most = most
        self._images: dict[MotionSpec, MotionImages] = {}
        self._flows: dict[FlowConfig, Flow] = {}

    def make(self, clips: Sequence[Clip], spec: RepresentationSpec) -> Tensor:
        """(B, ...) as `network_input` has it, on the device; valid until the next call."""
        if isinstance(spec, MotionSpec) and made_on_device(spec, clips[0].gray.shape[-1]):
            if spec not in self._images:
                size = clips[0].gray.shape[-1]
                self._images[spec] = MotionImages(self.device, spec, self._most, self.stream, size)
            return self._images[spec].make([motion_crops(clip, spec) for clip in clips])
        arrays = np.stack([represent(clip, spec, self._flow_of(spec)) for clip in clips])
        with self.device.on(self.stream):
            return torch.from_numpy(network_input(arrays, spec)).to(self.device.torch)

    def _flow_of(self, spec: RepresentationSpec) -> Flow | None:
        config: Any = getattr(spec, "flow", None)
        if config is not None and config not in self._flows:
            self._flows[config] = make_flow(config)
        return self._flows.get(config)

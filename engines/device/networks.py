"""The networks as the device path calls them: tensors in, logits out, on the current stream, no waiting."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from mer_live.engines.bundle import Bundle
from mer_live.engines.networks.load import load_network
from mer_live.engines.trt.build import engine_key, ensure_engine
from mer_live.engines.trt.file import Flavour, Precision
from mer_live.engines.trt.library import load_flavour
from mer_live.engines.trt.session import EngineSession


class DeviceNetwork(Protocol):
    """A network of one bundle whose inputs lie on the device already."""

    bundle: Bundle

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Inputs (1, ...) float32 by name -> logits (1, C)."""
        ...

    def capturable(self) -> bool:
        """Whether a CUDA graph can hold the call now."""
        ...


class TorchDeviceNetwork:
    """The network rebuilt in torch with the bundle's weights."""

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        self.bundle = bundle
        self._network = load_network(bundle).to(device)

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """See ``DeviceNetwork``."""
        # By default convolutions and LSTMs may take TF32 on CUDA, which is not float32.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            logits: Tensor = self._network(*self._network.ordered(inputs))
        return logits

    def capturable(self) -> bool:
        """Torch's own kernels always are."""
        return True


class EngineDeviceNetwork:
    """A TensorRT engine; inputs are copied on the device to the addresses that it knows."""

    def __init__(self, bundle: Bundle, session: EngineSession) -> None:
        self.bundle = bundle
        self._session = session

    @classmethod
    def open(
        cls, bundle: Bundle, precision: Precision, flavour: Flavour, folder: Path | None = None
    ) -> EngineDeviceNetwork:
        """The engine for the GPU of this machine, built if need be; EngineError, BackendError."""
        engine = ensure_engine(bundle, engine_key(bundle, precision, flavour), folder)
        return cls(bundle, EngineSession(load_flavour(flavour), engine.data, torch.device("cuda")))

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """See ``DeviceNetwork``."""
        for name, tensor in inputs.items():
            self._session.inputs[name][:1].copy_(tensor)
        return self._session.enqueue(1, self._stream())

    def capturable(self) -> bool:
        """TensorRT-RTX may have to compile kernels first."""
        return self._session.capturable(self._stream())

    def _stream(self) -> int:
        if self._session.device.type != "cuda":
            return 0
        handle: int = torch.cuda.current_stream(self._session.device).cuda_stream
        return handle

"""TensorRT and TensorRT-RTX behind one class; their libraries and torch are imported when it opens."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import Bundle
from mer_live.engines.errors import BackendError, EngineError
from mer_live.engines.runners.base import RunnerBase
from mer_live.engines.trt.build import engine_key, ensure_engine
from mer_live.engines.trt.file import Flavour, Precision
from mer_live.engines.trt.gpu import present_gpu
from mer_live.engines.trt.library import INSTALL, installed_flavours, load_flavour


class TensorRtRunner(RunnerBase):
    """The bundle's engine for the GPU of this machine, built on first use and kept.

    Inputs go through pinned host buffers on an own stream; ``infer`` waits once, at the end. Batches over
    the engine's largest are run in parts. ``threads`` means nothing here.
    """

    backend = "tensorrt"

    def __init__(
        self,
        bundle: Bundle,
        threads: int = 1,
        precision: Precision = "fp32",
        flavour: Flavour | None = None,
        engine_folder: Path | None = None,
        device: str = "cuda",
    ) -> None:
        super().__init__(bundle)
        flavour = flavour or _choose_flavour()
        library = load_flavour(flavour)
        torch = _torch_with_cuda()
        where = torch.device(device)
        try:
            with torch.cuda.device(where):
                key = engine_key(bundle, precision, flavour, gpu_index=where.index or 0)
                engine = ensure_engine(bundle, key, engine_folder)
                self._start(library, engine.data, where)
        except EngineError as error:
            raise BackendError(f"{flavour} cannot run {bundle.card.name}: {error}") from error
        self.engine = engine.header.key

    def _start(self, library: Any, data: bytes, device: Any) -> None:
        """Deserialize, allocate and warm up; on the CPU (only the tests do that) nothing is pinned."""
        import torch

        from mer_live.engines.trt.session import EngineSession

        self._torch = torch
        cuda = device.type == "cuda"
        self._session = EngineSession(library, data, device)
        self._stream: Any = torch.cuda.Stream(device) if cuda else None  # type: ignore[no-untyped-call]
        self._host = {
            name: torch.empty(tensor.shape, dtype=torch.float32, pin_memory=cuda)
            for name, tensor in self._session.inputs.items()
        }
        self._result = torch.empty(self._session.logits.shape, dtype=torch.float32, pin_memory=cuda)
        self._warm_up()

    def _run(self, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        batch, most = len(next(iter(inputs.values()))), self._session.max_batch
        parts = []
        for start in range(0, batch, most):
            count = min(most, batch - start)
            for name, host in self._host.items():
                host[:count].numpy()[...] = inputs[name][start : start + count]
            try:
                parts.append(self._infer(count))
            except EngineError as error:
                raise BackendError(f"TensorRT failed on {self.card.name}: {error}") from error
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def infer_tensors(self, inputs: Mapping[str, Any]) -> NDArray[np.float32]:
        """See ``Runner``: inputs go from device memory to device memory, and the logits alone come back."""
        batch, most = len(next(iter(inputs.values()))), self._session.max_batch
        device = self._session.device
        stream = self._torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else 0
        parts = []
        for start in range(0, batch, most):
            count = min(most, batch - start)
            for name, there in self._session.inputs.items():
                there[:count].copy_(inputs[name][start : start + count])
            try:
                parts.append(self._session.enqueue(count, stream).cpu().numpy().copy())
            except EngineError as error:
                raise BackendError(f"TensorRT failed on {self.card.name}: {error}") from error
        return np.concatenate(parts)

    def _infer(self, count: int) -> NDArray[np.float32]:
        with self._on_stream():
            for name, host in self._host.items():
                self._session.inputs[name][:count].copy_(host[:count], non_blocking=True)
            logits = self._session.enqueue(count, self._stream.cuda_stream if self._stream else 0)
            self._result[:count].copy_(logits, non_blocking=True)
        if self._stream is not None:
            self._stream.synchronize()
        result: NDArray[np.float32] = self._result[:count].numpy().copy()
        return result

    def _on_stream(self) -> AbstractContextManager[Any]:
        if self._stream is None:
            return nullcontext()
        context: AbstractContextManager[Any] = self._torch.cuda.stream(self._stream)
        return context

    def _free(self) -> None:
        if self._stream is not None:
            self._stream.synchronize()  # nothing may still read the buffers
        self._session.close()
        self._host.clear()
        self._result = self._torch.empty(0)


def _choose_flavour() -> Flavour:
    flavours = installed_flavours()
    if not flavours:
        raise BackendError(f"TensorRT is not installed; install it with: {INSTALL['tensorrt']}")
    return flavours[0]


def _torch_with_cuda() -> Any:
    """Torch, which holds the device buffers; BackendError when it or the GPU is missing."""
    if present_gpu() is None:
        raise BackendError(
            "TensorRT needs an NVIDIA GPU and its driver, and none is here; take --backend openvino, or on a "
            f"machine with a GPU install the driver and: {INSTALL['tensorrt']}"
        )
    try:
        import torch
    except ImportError as error:
        raise BackendError(f"torch is missing; install it with: {INSTALL['tensorrt']}") from error
    if not torch.cuda.is_available():
        raise BackendError(
            "This torch sees no GPU, it may be the CPU build; install the other one with: "
            "pip install --force-reinstall torch==2.13.0"
        )
    return torch

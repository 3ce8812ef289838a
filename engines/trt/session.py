"""One deserialized engine with its device buffers: addresses set once, nothing allocated per inference."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mer_live.engines.errors import EngineError
from mer_live.engines.trt.library import logger_of, nvidia_messages


class EngineSession:
    """Runs one engine on one stream at a time; keep one per thread.

    ============  ======================================================================================
    inputs        name -> (max batch, ...) float32 device tensor; write the first rows before ``enqueue``
    logits        (max batch, C) float32 device tensor; its first rows are valid once the stream is done
    ============  ======================================================================================

    The library keeps raw addresses of these tensors, so the session holds them for as long as it lives.
    """

    def __init__(self, library: ModuleType, data: bytes, device: torch.device) -> None:
        self._library = library
        self.device = device
        with nvidia_messages(library) as messages:
            # The runtime must outlive the engine, the engine its context.
            self._runtime = library.Runtime(logger_of(library))
            self._engine: Any = self._runtime.deserialize_cuda_engine(data)
            if self._engine is None:
                raise EngineError(f"The engine cannot be loaded: {'; '.join(messages) or 'no reason given'}")
            self._context: Any = self._engine.create_execution_context()
            if self._context is None:
                raise EngineError(f"The engine cannot be set up: {'; '.join(messages) or 'no reason given'}")
        self.inputs: dict[str, Tensor] = {}
        self.logits: Tensor = torch.empty(0)
        self._batch = 0
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        modes = {name: self._engine.get_tensor_mode(name) for name in names}
        for name in names:
            if modes[name] == library.TensorIOMode.INPUT:
                largest = tuple(self._engine.get_tensor_profile_shape(name, 0)[2])
                self.inputs[name] = self._buffer(name, largest)
        self.max_batch = min(len(tensor) for tensor in self.inputs.values())
        for name in names:
            if modes[name] == library.TensorIOMode.OUTPUT:
                sample = tuple(self._engine.get_tensor_shape(name))[1:]
                self.logits = self._buffer(name, (self.max_batch, *sample))

    def enqueue(self, batch: int, stream: int = 0) -> Tensor:
        """Queue one inference of the first ``batch`` rows on a CUDA stream; returns the rows of ``logits``.

        Nothing waits here. EngineError with NVIDIA's message when the library refuses.
        """
        if not 1 <= batch <= self.max_batch:
            raise ValueError(f"batch must be 1..{self.max_batch}, got {batch}")
        with nvidia_messages(self._library) as messages:
            if batch != self._batch:
                for name, tensor in self.inputs.items():
                    self._need(self._context.set_input_shape(name, (batch, *tensor.shape[1:])), messages)
                self._batch = batch
            self._need(self._context.execute_async_v3(stream), messages)
        return self.logits[:batch]

    def infer(self, inputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Arrays (B, ...) in, new logits (B, C) out; waits. For checks: runners keep pinned buffers."""
        batch = len(next(iter(inputs.values())))
        for name, array in inputs.items():
            self.inputs[name][:batch].copy_(torch.from_numpy(array))
        stream = torch.cuda.current_stream(self.device).cuda_stream if self.device.type == "cuda" else 0
        logits: NDArray[np.float32] = self.enqueue(batch, stream).cpu().numpy().copy()
        return logits

    def close(self) -> None:
        """Free context, engine and buffers, in this order."""
        self._context = None
        self._engine = None
        self.inputs = {}
        self.logits = torch.empty(0)

    def _buffer(self, name: str, shape: tuple[int, ...]) -> Tensor:
        if self._engine.get_tensor_dtype(name) != self._library.DataType.FLOAT:
            raise EngineError(f"Tensor {name} of the engine is not float32; build it again.")
        tensor = torch.zeros(shape, dtype=torch.float32, device=self.device)
        with nvidia_messages(self._library) as messages:
            self._need(self._context.set_tensor_address(name, tensor.data_ptr()), messages)
        return tensor

    def _need(self, done: bool, messages: list[str]) -> None:
        if not done:
            raise EngineError(f"TensorRT refused: {'; '.join(messages) or 'no reason given'}")

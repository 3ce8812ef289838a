"""Stands in for TensorRT where there is no GPU: the 11.4 calls that mer-live makes, on host memory.

An "engine" is the ONNX model itself, run by ONNX Runtime. Tensors are read and written through the raw
addresses that were set, as the real library does, so a buffer that was freed too early shows.
"""

from __future__ import annotations

import ctypes
from enum import Enum, IntEnum
from math import prod
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

LARGEST = 8


class TensorIOMode(Enum):
    NONE, INPUT, OUTPUT = range(3)


class DataType(Enum):
    FLOAT, HALF = range(2)


class Severity(IntEnum):
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class ILogger:
    Severity = Severity

    def __init__(self) -> None: ...


class Runtime:
    def __init__(self, logger: Any) -> None:
        self.logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> Engine | None:
        try:
            return Engine(serialized_engine, self.logger)
        except Exception:
            self.logger.log(Severity.ERROR, "Serialization (Magic tag does not match)")
            self.logger.log(Severity.WARNING, "chatter")
            return None


class Engine:
    def __init__(self, model: bytes, logger: Any) -> None:
        self.session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
        self.logger = logger
        self.inputs = {i.name: (-1, *i.shape[1:]) for i in self.session.get_inputs()}
        self.outputs = {"logits": (-1, 3)}
        self.num_io_tensors = len(self.inputs) + 1

    def get_tensor_name(self, index: int) -> str:
        return [*self.outputs, *self.inputs][index]  # outputs first: the order is the library's choice

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self.inputs else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return DataType.FLOAT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return {**self.inputs, **self.outputs}[name]

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[tuple[int, ...]]:
        assert profile_index == 0
        return [(b, *self.inputs[name][1:]) for b in (1, 1, LARGEST)]

    def create_execution_context(self) -> Context:
        return Context(self)


class Context:
    """Counts what it was told; ``fail`` makes the next inference fail."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.addresses: dict[str, int] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.shape_calls = 0
        self.streams: list[int] = []
        self.fail = False

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self.addresses[name] = memory
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = shape
        self.shape_calls += 1
        return 1 <= shape[0] <= LARGEST

    def execute_async_v3(self, stream_handle: int) -> bool:
        if self.fail:
            self.engine.logger.log(Severity.INTERNAL_ERROR, "Cask convolution execution")
            return False
        self.streams.append(stream_handle)
        inputs = {name: self._memory(name, shape) for name, shape in self.shapes.items()}
        (logits,) = self.engine.session.run(["logits"], inputs)
        self._memory("logits", logits.shape)[...] = logits
        return True

    def _memory(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        floats = (ctypes.c_float * prod(shape)).from_address(self.addresses[name])
        return np.frombuffer(floats, np.float32).reshape(shape)


def library(version: str = "11.4.0.106") -> ModuleType:
    """The module as ``import tensorrt`` gives it."""
    names = {"Runtime": Runtime, "ILogger": ILogger, "TensorIOMode": TensorIOMode, "DataType": DataType}
    return SimpleNamespace(__name__="fake_tensorrt", __version__=version, **names)  # type: ignore[return-value]

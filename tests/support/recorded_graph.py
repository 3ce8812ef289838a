"""Stands in for CUDA graphs: records the operations of a capture, replays them on the same memory without Python.

What a capture cannot do is refused while it records: reading a value back, waiting for the device, shapes that hang on
values, memory that no tensor of the device gave rise to, host memory other than by a copy that nobody waits for. A
replay refuses memory that has moved and shapes that have changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from mer_live.engines.device.device import Device

T = TypeVar("T")
READ_BACK = ("_local_scalar_dense", "is_nonzero", "equal.default")
BY_VALUE = ("nonzero", "masked_select", "_unique", "repeat_interleave.Tensor")
FROM_HOST = ("lift_fresh", "_pin_memory", "set_.source")
WAITS = (torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.cpu, torch.Tensor.__array__)
"""On the CPU these hand memory over without an operation that could be recorded."""


class CaptureError(Exception):
    """Something that a CUDA graph cannot hold."""


class RecordedGraphs:
    """A `Capture`; counts captures and replays of all that it recorded."""

    def __init__(self) -> None:
        self.captures = 0
        self.replays = 0
        self.operations = 0
        self._host: dict[int, torch.Tensor] = {}  # held, or their addresses might be given out again

    def device(self) -> Device:
        """A device on the CPU that captures here, and whose pinned memory is told from its own."""
        return _Told(self, self._host)

    def __call__(self, function: Callable[[], T]) -> Callable[[], T]:
        function()  # warm up
        with _Watching(), _Recording(self._host) as recording:
            result = function()
        self.captures += 1
        self.operations += len(recording.calls)

        def replay() -> T:
            self.replays += 1
            recording.replay()
            return result

        return replay


class _Told(Device):
    def __init__(self, graphs: RecordedGraphs, host: dict[int, torch.Tensor]) -> None:
        super().__init__("cpu", graphs)
        self._host = host

    def pinned(self, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        made = super().pinned(*shape, dtype=dtype)
        self._host[made.untyped_storage().data_ptr()] = made
        return made


class _Watching(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in WAITS:
            raise CaptureError(f"Tensor.{func.__name__} waits for the device")
        return func(*args, **(kwargs or {}))


class _Recording(TorchDispatchMode):
    def __init__(self, host: dict[int, torch.Tensor]) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any, list[tuple[int, torch.Size]]]] = []
        self._host = host

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = str(func)
        for words, why in (
            (READ_BACK, "reads a value back"),
            (BY_VALUE, "has a shape that hangs on values"),
            (FROM_HOST, "takes or makes host memory"),
        ):
            if any(word in name for word in words):
                raise CaptureError(f"{name} {why}")
        if name.startswith("aten.index.") and any(t.dtype == torch.bool for t in _tensors(args)):
            raise CaptureError(f"{name} by a mask has a shape that hangs on values")
        given = _tensors((args, kwargs))
        if not given:
            raise CaptureError(f"{name} allocates: make it before, with the device")
        result = func(*args, **kwargs)
        if any(there := [self._of_host(tensor) for tensor in given]):
            copies = (
                name.startswith("aten.copy_") and not all(there) and (*args, kwargs.get("non_blocking"))[2]
            )
            views = not func._schema.is_mutable and all(map(self._of_host, _tensors(result)))
            if not (copies or views):
                raise CaptureError(f"{name} waits for host memory: copy it with non_blocking=True")
        self.calls.append((func, args, kwargs, result, _memory(args, kwargs)))
        return result

    def _of_host(self, tensor: torch.Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() in self._host

    def replay(self) -> None:
        for func, args, kwargs, result, memory in self.calls:
            if _memory(args, kwargs) != memory:
                raise CaptureError(f"{func}: its memory has moved, or its shape has changed")
            again = func(*args, **kwargs)
            for old, new in zip(_tensors(result), _tensors(again), strict=True):
                if old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, torch.Tensor)]


def _memory(args: Any, kwargs: Any) -> list[tuple[int, torch.Size]]:
    return [(t.data_ptr(), t.shape) for t in _tensors((args, kwargs))]

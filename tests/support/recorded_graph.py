"""Stands in for CUDA graphs: records the operations of a capture, replays them on the same memory without Python.

What a capture cannot do is refused while it records: reading a value back, shapes that hang on values, host memory made
on the way, memory that something outside frees. A replay refuses memory that has moved and shapes that have changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

T = TypeVar("T")
READ_BACK = ("_local_scalar_dense", "is_nonzero", "equal.default")
BY_VALUE = ("nonzero", "masked_select", "_unique", "repeat_interleave.Tensor")
FROM_HOST = ("lift_fresh", "_pin_memory", "set_.source")


class CaptureError(Exception):
    """Something that a CUDA graph cannot hold."""


class RecordedGraphs:
    """A `Capture`; counts captures and replays of all that it recorded."""

    def __init__(self) -> None:
        self.captures = 0
        self.replays = 0
        self.operations = 0

    def __call__(self, function: Callable[[], T]) -> Callable[[], T]:
        function()  # warm up
        with _Recording() as recording:
            result = function()
        self.captures += 1
        self.operations += len(recording.calls)

        def replay() -> T:
            self.replays += 1
            recording.replay()
            return result

        return replay


class _Recording(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any, list[tuple[int, torch.Size]]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
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
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result, _memory(args, kwargs)))
        return result

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

"""A device with what all of its users share: streams, pinned memory, and how work is captured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from mer_live.engines.device.graph import Capture, call_each_time, cuda_graph

T = TypeVar("T")


class Device:
    """``cpu`` or ``cuda[:N]`` as torch knows it; on ``cpu`` the same code runs without streams and graphs.

    Raises RuntimeError (of torch) where there is no such device.
    """

    def __init__(self, name: str, capture: Capture | None = None) -> None:
        self.torch = torch.device(name)
        self.cuda = self.torch.type == "cuda"
        self._capture: Capture = capture or (cuda_graph if self.cuda else call_each_time)

    def zeros(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """A tensor on the device."""
        return torch.zeros(*shape, dtype=dtype, device=self.torch)

    def pinned(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """A tensor in host memory that the device reads and writes by itself."""
        return torch.zeros(*shape, dtype=dtype, pin_memory=self.cuda)

    def stream(self) -> Any:
        """A stream of its own; None on the CPU."""
        return torch.cuda.Stream(self.torch) if self.cuda else None  # type: ignore[no-untyped-call]

    @contextmanager
    def on(self, stream: Any) -> Iterator[None]:
        """Queue what follows on ``stream``."""
        if stream is None:
            yield
            return
        with torch.cuda.device(self.torch), torch.cuda.stream(stream):
            yield

    def captured(self, function: Callable[[], T], stream: Any) -> Callable[[], T]:
        """``function`` as its replay; see `Capture`. It runs now, too."""
        with self.on(stream), torch.no_grad():
            return self._capture(function)

    def mark(self, stream: Any) -> Callable[[], None]:
        """What waits until everything queued on ``stream`` so far is done."""
        if stream is None:
            return lambda: None
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(stream)
        wait: Callable[[], None] = event.synchronize
        return wait


def sizes_up_to(most: int) -> list[int]:
    """Batch sizes for which a graph is kept: 1, 2, 4, ... and the first that holds ``most``."""
    return [1 << k for k in range((most - 1).bit_length() + 1)]

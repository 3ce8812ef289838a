"""A function of no arguments that is captured once and replayed; what holds a capture is exchanged for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import torch

T = TypeVar("T")
WARM_UP_CALLS = 3
"""Before a capture, so that cuBLAS and the allocator have made what they keep."""


class Capture(Protocol):
    """Turns ``function``, which reads and writes fixed tensors and returns fixed tensors, into its replay.

    Replays do the same work on the same memory without Python: no shape, number or address may change between them,
    nothing may be read back by the host inside, and nothing may come from host memory that is not pinned and kept.
    The results lie where the first results lay.
    """

    def __call__(self, function: Callable[[], T]) -> Callable[[], T]:
        """Run ``function`` at least once, and return what queues it again on the current stream."""
        ...


def call_each_time(function: Callable[[], T]) -> Callable[[], T]:
    """No capture: what is done on the CPU."""
    return function


def cuda_graph(function: Callable[[], T]) -> Callable[[], T]:
    """Capture as a CUDA graph on the current device; a replay is one launch."""
    stream = torch.cuda.current_stream()
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(stream)
    with torch.cuda.stream(side):
        for _ in range(WARM_UP_CALLS):
            function()
    stream.wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    # Other threads may allocate and copy on their own streams meanwhile.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        result = function()

    def replay() -> T:
        graph.replay()
        return result

    return replay

"""Durations on a device: the wall clock with waiting, CUDA events without, and the rate of a full queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from mer_live.benchmarks.result import Times

WARM_UP = 3


class Stopwatch:
    """Times functions that queue work on one device."""

    def __init__(self, device: torch.device, repeats: int) -> None:
        self.device = device
        self.repeats = repeats

    def wait(self) -> None:
        """Until the device is idle."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def measure(
        self, name: str, function: Callable[[], object], group: str, stream: Any = None
    ) -> list[Times]:
        """Wall time of single calls, each waited for; on CUDA also between two events on ``stream``.

        ``stream`` is the one that ``function`` queues its work on; None: the current one.
        """
        for _ in range(WARM_UP):
            function()
        self.wait()
        wall = []
        for _ in range(self.repeats):
            started = time.perf_counter_ns()
            function()
            self.wait()
            wall.append(time.perf_counter_ns() - started)
        times = [Times.of(f"{name} (wall)", wall, group)]
        if self.device.type == "cuda":
            times.append(Times.of(f"{name} (device)", self._events(function, stream), group))
        return times

    def rate(self, function: Callable[[], object]) -> float:
        """Calls per second while the queue is never empty: uploads overlap computation."""
        for _ in range(WARM_UP):
            function()
        self.wait()
        started = time.perf_counter()
        for _ in range(self.repeats):
            function()
        self.wait()
        return self.repeats / (time.perf_counter() - started)

    def _events(self, function: Callable[[], object], stream: Any) -> list[int]:
        """Nanoseconds on the device."""
        stream = stream or torch.cuda.current_stream(self.device)
        pairs = []
        for _ in range(self.repeats):
            first, second = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            first.record(stream)
            function()
            second.record(stream)
            pairs.append((first, second))
        self.wait()
        return [round(first.elapsed_time(second) * 1e6) for first, second in pairs]

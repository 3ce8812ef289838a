"""Where networks are trained, and where an interrupted training goes on: said once around a run. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path

from mer_live.engines.device.choice import choose_device


@dataclass(frozen=True, slots=True)
class Compute:
    """What a run computes on; nothing here decides what is learned, but for the arithmetic of the device."""

    device: str = "cpu"
    """cpu, or cuda:N."""
    checkpoints: Path | None = None
    """Folder for the state of unfinished networks; None keeps none."""
    every: int = 10
    """Epochs between two checkpoints."""

    @property
    def cuda(self) -> bool:
        """Whether a GPU trains."""
        return self.device.startswith("cuda")


CPU = Compute()
_compute: ContextVar[Compute] = ContextVar("compute", default=CPU)
_count: ContextVar[list[int] | None] = ContextVar("count", default=None)


def compute_on(asked: str, *, every: int = 10, elsewhere: bool = False) -> Compute:
    """``cpu`` or ``cuda[:N]`` as a command's option; ``elsewhere``: on machines that show each job its own GPU.

    Raises ValueError, or BackendError where there is no such GPU.
    """
    if not (asked == "cpu" or asked.startswith("cuda")):
        raise ValueError(f"--device is cpu, cuda or cuda:N, not {asked!r}.")
    return Compute("cuda:0" if elsewhere and asked != "cpu" else choose_device(asked).name, every=every)


@contextmanager
def computing(compute: Compute, part: str = "") -> Iterator[None]:
    """Train inside on ``compute``; ``part`` names the folder of this training's checkpoints."""
    folder = None if compute.checkpoints is None or not part else compute.checkpoints / part
    before, counted = _compute.set(replace(compute, checkpoints=folder)), _count.set([0])
    try:
        yield
    finally:
        _compute.reset(before)
        _count.reset(counted)


def current() -> Compute:
    """What is trained on now; its ``checkpoints`` is the folder of this training."""
    return _compute.get()


def next_network() -> int:
    """Number of the next network of this training, from 1; 0 outside of `computing`."""
    number = _count.get()
    if number is None:
        return 0
    number[0] += 1
    return number[0]

"""A network in training: the device it is on, and its state on disk, from which an interrupted training goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from mer_live.engines.files import whole
from mer_live.training.learning.compute import current, next_network


def here() -> torch.device:
    """The device that networks are trained on now."""
    return torch.device(current().device)


def halved(wanted: bool) -> torch.autocast:
    """Products in bfloat16 inside: where ``wanted``, and always on a GPU; weights stay float32."""
    device = here().type
    return torch.autocast(device, torch.bfloat16, enabled=wanted or device == "cuda")


class Checkpoint:
    """State of a network in training: weights, optimiser, schedule, every generator of random numbers.

    A training that is repeated after it was cut off takes the newest state up and ends with the weights that it
    would have had. The networks of one training are told apart by their order.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        scheduler: torch.optim.lr_scheduler.LRScheduler | None,
        generators: Sequence[np.random.Generator] | None,
    ) -> None:
        """``generators``: all that batches and augmentation draw from; None: there are others, keep no state."""
        now, number = current(), next_network()
        keep = number and now.checkpoints is not None and generators is not None
        self._file = now.checkpoints / f"{number}.pt" if keep and now.checkpoints is not None else None
        self._every = now.every
        self._parts: list[Any] = [network, optimizer, *([] if scheduler is None else [scheduler])]
        self._generators = list(generators or ())

    def load(self) -> dict[str, Any]:
        """Take the kept state up, if there is any; what was kept with it."""
        if self._file is None or not self._file.is_file():
            return {}
        kept: dict[str, Any] = torch.load(self._file, map_location="cpu", weights_only=True)
        for part, state in zip(self._parts, kept["parts"], strict=True):
            part.load_state_dict(state)
        for generator, state in zip(self._generators, kept["generators"], strict=True):
            generator.bit_generator.state = state
        torch.set_rng_state(kept["torch"])
        if kept["cuda"] is not None:
            torch.cuda.set_rng_state(kept["cuda"])
        loop: dict[str, Any] = kept["loop"]
        return loop

    def save(self, epoch: int, *, finished: bool = False, **loop: Any) -> None:
        """Keep the state after ``epoch``, where it is due."""
        if self._file is None or not (finished or epoch % self._every == 0):
            return
        state = {
            "parts": [part.state_dict() for part in self._parts],
            "generators": [generator.bit_generator.state for generator in self._generators],
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state() if here().type == "cuda" else None,
            "loop": {"epoch": epoch, "finished": finished, **loop},
        }
        with whole(self._file) as partial:
            torch.save(state, partial)

"""Pinned host buffers that carry crops to the device while the device still computes on the ones before."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Upload:
    """One buffer: crops (streams, S, S) uint8 and control (2, streams) int64; on the CPU a plain copy.

    Keep two and take them in turn: the copy to the device then overlaps the computation. ``send`` queues on
    the current stream whatever must wait for the copy.
    """

    def __init__(self, streams: int, size: int, device: torch.device) -> None:
        cuda = device.type == "cuda"
        self._crops = torch.zeros(streams, size, size, dtype=torch.uint8, pin_memory=cuda)
        self._control = torch.zeros(2, streams, dtype=torch.int64, pin_memory=cuda)
        self._arrived: list[Tensor] = []
        self._ready: Any = None
        self._free: Any = None
        if cuda:
            self._arrived = [torch.empty_like(t, device=device) for t in (self._crops, self._control)]
            self._ready, self._free = torch.cuda.Event(), torch.cuda.Event()  # type: ignore[no-untyped-call]

    def fill(self, crops: NDArray[np.uint8], slot: int, fresh: NDArray[np.bool_]) -> None:
        """Write the next frame; waits until the device has taken the one that was sent from here before."""
        if self._free is not None:
            self._free.synchronize()
        self._crops.numpy()[...] = crops
        control = self._control.numpy()
        control[0] = slot
        control[1] = ~fresh

    def send(self, crops: Tensor, control: Tensor, copies: Any) -> None:
        """Copy to ``crops`` and ``control``, through the stream ``copies`` on CUDA."""
        if not self._arrived:
            crops.copy_(self._crops)
            control.copy_(self._control)
            return
        with torch.cuda.stream(copies):
            for there, here in zip(self._arrived, (self._crops, self._control), strict=True):
                there.copy_(here, non_blocking=True)
            self._ready.record()
        torch.cuda.current_stream().wait_event(self._ready)
        crops.copy_(self._arrived[0])
        control.copy_(self._arrived[1])
        self._free.record()

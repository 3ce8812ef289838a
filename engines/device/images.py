"""Motion images of several clips at once on a device: the flows of all in one batch, one captured graph a shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mer_live.engines.device.device import Device, sizes_up_to
from mer_live.engines.device.farneback import TorchFarneback
from mer_live.engines.device.head import WithoutHead
from mer_live.engines.device.ops import flow_to_gray, shrink
from mer_live.engines.representation.specs import MotionSpec

Crops = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8] | None]
"""Onset, middle and offset, each (S, S); see `represent.motion_crops`."""


class MotionImages:
    """What ``motion_image`` and ``network_input`` make of one clip, of up to ``most`` clips at once.

    Used by one thread at a time; ``stream`` is the one that the results are read on.
    """

    def __init__(self, device: Device, spec: MotionSpec, most: int, stream: Any, size: int = 224) -> None:
        self._device, self._spec, self._stream = device, spec, stream
        self._flow = TorchFarneback(spec.size, spec.size, spec.flow).to(device.torch)
        self._face = WithoutHead(spec.size).to(device.torch) if spec.steady else nn.Identity()
        self._sizes = sizes_up_to(most)
        self._crops = device.pinned(self._sizes[-1], 3, size, size, dtype=torch.uint8)
        self._ended = device.pinned(self._sizes[-1])
        self._runs = {count: device.captured(self._maker(count), stream) for count in self._sizes}

    def make(self, clips: Sequence[Crops]) -> Tensor:
        """(B, 3, size, size) float32 in 0..1 on the device; valid until the next call."""
        for k, (onset, middle, offset) in enumerate(clips):
            crops = self._crops[k].numpy()
            crops[0], crops[1], crops[2] = onset, middle, middle if offset is None else offset
            self._ended[k] = offset is not None
        count = next(size for size in self._sizes if size >= len(clips))
        with self._device.on(self._stream):
            return self._runs[count]()[: len(clips)]

    def _maker(self, count: int) -> Callable[[], Tensor]:
        spec, host, told = self._spec, self._crops[:count], self._ended[:count]
        crops = self._device.zeros(*host.shape, dtype=torch.uint8)
        ended = self._device.zeros(count)

        def make() -> Tensor:
            crops.copy_(host, non_blocking=True)
            ended.copy_(told, non_blocking=True)
            side = spec.size
            small = shrink(crops.flatten(0, 1).float(), side)  # (3 B, side, side)
            levels = [c.reshape(count, 3, *c.shape[1:]) for c in self._flow.expand(small)]
            moved = self._flow.displace(  # (2 B, 2, side, side): onset -> middle, middle -> offset of each clip
                tuple(c[:, :2].flatten(0, 1) for c in levels), tuple(c[:, 1:].flatten(0, 1) for c in levels)
            )
            grays = flow_to_gray(self._face(moved), spec.scaling, spec.r_max_px).reshape(count, 2, side, side)
            face = small.reshape(count, 3, side, side)[:, 1]
            planes = {"onset": grays[:, 0], "face": face, "offset": grays[:, 1] * ended[:, None, None]}
            zero = torch.zeros_like(face)
            shown = [plane if name in spec.channels else zero for name, plane in planes.items()]
            return torch.stack(shown, dim=1) / 255.0

        return make

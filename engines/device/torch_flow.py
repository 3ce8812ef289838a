"""Farneback flow in torch behind the ``Flow`` interface of ``representation.flow``, for one pair of crops."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from mer_live.engines.device.farneback import TorchFarneback
from mer_live.engines.representation.flow import BufferedFlow
from mer_live.engines.representation.specs import FlowConfig


class TorchFlow(BufferedFlow):
    """One pair at a time on ``device``; the device path (``engines.device.path``) avoids the copy back."""

    def __init__(self, config: FlowConfig, device: str) -> None:
        super().__init__(config)
        if config.method != "farneback":
            raise ValueError(f"flow method {config.method!r} has no torch version; take 'farneback'")
        self.device = torch.device(device)
        self._networks: dict[tuple[int, ...], TorchFarneback] = {}

    def _compute(self, prev: NDArray[np.uint8], next: NDArray[np.uint8], out: NDArray[np.float32]) -> None:
        network = self._networks.get(prev.shape)
        if network is None:
            network = TorchFarneback(prev.shape[0], prev.shape[1], self.config).to(self.device)
            self._networks[prev.shape] = network
        pair = torch.from_numpy(np.stack([prev, next])).to(self.device).float()
        flow = network(pair[:1], pair[1:])[0].permute(1, 2, 0)  # (H, W, 2)
        torch.from_numpy(out).copy_(flow)

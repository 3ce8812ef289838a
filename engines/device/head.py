"""The flow less the head's movement, on tensors: what ``representation/head.py`` does to one flow, for a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mer_live.engines.representation.head import INSIDE, PLACES, ROUNDS


class WithoutHead(nn.Module):
    """(B, 2, S, S) px -> the same less a similarity, as `head.without_head`; S is a multiple of the grid's 28.

    Static shapes and no wait for the device, so that a CUDA graph can hold it.
    """

    places: Tensor
    inside: Tensor
    axis: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        cells = INSIDE.shape[0]
        if side % cells:
            raise ValueError(f"flow of {side} px does not divide into {cells}x{cells} cells")
        self._cell = side // cells
        self.register_buffer("places", torch.from_numpy(PLACES).float())  # (2, K)
        self.register_buffer("inside", torch.from_numpy(INSIDE).flatten().nonzero()[:, 0])  # (K,)
        self.register_buffer("axis", (torch.arange(side) + 0.5) * 2 / side - 1)

    def forward(self, flow: Tensor) -> Tensor:
        """(B, 2, S, S) -> the same shape."""
        cells = nn.functional.avg_pool2d(flow, self._cell).flatten(2)
        moved = cells.index_select(2, self.inside)  # (B, 2, K)
        weight = torch.ones_like(moved[:, 0])
        for _ in range(ROUNDS):
            share = (weight / weight.sum(1, keepdim=True))[:, None]  # (B, 1, K)
            at, by = (self.places * share).sum(2, keepdim=True), (moved * share).sum(2, keepdim=True)
            (x, y), (u, v) = (self.places - at).unbind(1), (moved - by).unbind(1)  # (B, K) each
            share = share[:, 0]
            spread = ((x * x + y * y) * share).sum(1, keepdim=True)
            c = ((x * u + y * v) * share).sum(1, keepdim=True) / spread
            d = ((x * v - y * u) * share).sum(1, keepdim=True) / spread
            away = torch.hypot(u - c * x + d * y, v - d * x - c * y)
            ranked, count = away.sort(dim=1).values, away.shape[1]
            middle = (ranked[:, (count - 1) // 2] + ranked[:, count // 2]) / 2
            weight = 1 / (1 + (away / middle.clamp_min(1e-3)[:, None]) ** 2)
        c, d, (at_x, at_y), (by_x, by_y) = c[:, :, None], d[:, :, None], at.unbind(1), by.unbind(1)
        x, y = self.axis[None, None, :] - at_x[:, :, None], self.axis[None, :, None] - at_y[:, :, None]
        head = torch.stack([by_x[:, :, None] + c * x - d * y, by_y[:, :, None] + d * x + c * y], dim=1)
        return flow - head

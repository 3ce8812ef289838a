"""The representations on tensors: what ``adm.py`` and ``motion_image.py`` do to one array, for a batch on any device.

Every function has static shapes and never waits for the device, so that a CUDA graph can hold it. The numpy
functions stay the definition; tests compare the two.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from mer_live.engines.representation.specs import GRID, Direction, Scaling


def adm_rows(flow: Tensor, direction: Direction = "circular") -> Tensor:
    """(B, 2, S, S) px -> (B, 128) rows as ``adm.adm_row`` makes them; S must divide by the grid."""
    if flow.shape[-1] % GRID or flow.shape[-2] % GRID:
        raise ValueError(f"flow of {tuple(flow.shape[-2:])} px does not divide into {GRID}x{GRID} cells")
    x, y = (flow + 0.0).unbind(1)  # -0.0 becomes 0.0, as in adm_row
    magnitude = _cells(torch.hypot(x, y))  # (B, 8, 8)
    circular = direction == "circular"
    angle = torch.atan2(_cells(y) + 0.0, _cells(x) + 0.0) if circular else _cells(torch.atan2(y, x))
    return torch.stack([angle, magnitude], dim=-1).flatten(1)  # (B, 8, 8, 2) -> (B, 128)


def flow_to_gray(flow: Tensor, scaling: Scaling = "minmax", r_max_px: float = 3.0) -> Tensor:
    """(B, 2, S, S) px -> (B, S, S) float32, whole gray levels 0..255, as ``motion_image.flow_to_gray``."""
    x, y = flow.unbind(1)
    r = torch.hypot(x, y)
    if scaling == "minmax":
        low, high = r.amin(dim=(1, 2), keepdim=True), r.amax(dim=(1, 2), keepdim=True)
        span = high - low
        saturation = torch.where(span > 0, (r - low) / span, torch.zeros_like(r))
    else:
        saturation = (r / r_max_px).clamp(max=1.0)
    hue = torch.atan2(y, x) * (3.0 / math.pi)  # -3..3: sixths of the circle
    gray = torch.zeros_like(r)
    # HSV -> RGB with V = 1: channel n loses S * max(0, min(k, 4 - k, 1)), k = (n + hue) mod 6.
    for n, weight in ((5.0, 0.299), (3.0, 0.587), (1.0, 0.114)):
        k = torch.remainder(hue + n, 6.0)
        gray += weight * (1.0 - saturation * torch.minimum(k, 4.0 - k).clamp(0.0, 1.0))
    return torch.round(gray * 255.0)


def shrink(images: Tensor, size: int) -> Tensor:
    """(B, S, S) whole gray levels -> (B, size, size) by area, rounded as OpenCV does for uint8."""
    side = images.shape[-1]
    if side == size:
        return images
    if side % size:
        raise ValueError(f"a crop of {side} px cannot be shrunk to {size} px by area on the device")
    factor = side // size
    mean = F.avg_pool2d(images[:, None], factor)[:, 0]
    # For halves OpenCV rounds up, for all other factors to even.
    return torch.floor(mean + 0.5) if factor == 2 else torch.round(mean)


def _cells(plane: Tensor) -> Tensor:
    """(B, S, S) -> (B, 8, 8) means."""
    batch, height, width = plane.shape
    blocks = plane.reshape(batch, GRID, height // GRID, GRID, width // GRID)
    return blocks.mean(dim=(2, 4))

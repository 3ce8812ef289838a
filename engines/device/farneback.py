"""Dense optical flow in torch after Farneback (SCIA 2003), equal to OpenCV's ``calcOpticalFlowFarneback``.

Every linear step of the algorithm (smoothing, scaling, polynomial expansion, averaging window) is separable,
so each is one small matrix on the left and one on the right of the image, borders included. What is left
is one bilinear gather and arithmetic per pixel. Shapes are static and nothing waits for the device, so a
call can be captured in a CUDA graph.

Convention: as in ``engines.representation.flow``, but planes: ``flow[b, :, y, x] = (dx, dy)`` in pixels.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from mer_live.engines.device.matrices import (
    SMALLEST_LEVEL_PX,
    convolution,
    fade,
    level_sizes,
    moments,
    resize,
    smooth,
    window,
)
from mer_live.engines.representation.specs import FlowConfig

GRAY_OFFSET = 128.0
"""Taken off every pixel: it moves no coefficient, and float32 keeps three bits more of each."""
Expansion = tuple[Tensor, ...]
"""Per pyramid level, finest first, (B, 5, h, w): coefficients of y, x, y^2, x^2, xy around each pixel."""


class TorchFarneback(nn.Module):
    """Farneback flow for images of one size, on any device.

    =============  ======================  ==========================================================
    images         (B, H, W) float32       gray 0..255; batch entries do not influence each other
    flow           (B, 2, H, W) float32    displacement (x, y) in px from one image to the next
    =============  ======================  ==========================================================

    A video needs each frame expanded only once: ``displace`` takes two that ``expand`` has made.
    Against OpenCV over real face pairs the mean end-point difference is below 0.02 px.
    """

    def __init__(self, height: int, width: int, config: FlowConfig | None = None) -> None:
        super().__init__()
        config = config or FlowConfig(method="farneback")
        if config.method != "farneback":
            raise ValueError(f"TorchFarneback computes method 'farneback', not {config.method!r}")
        if min(height, width) < SMALLEST_LEVEL_PX // 2:
            raise ValueError(f"images of {height}x{width} px are too small for Farneback flow")
        self.config = config
        self.size = (height, width)
        sizes = level_sizes(height, width, config.levels)
        self.levels = nn.ModuleList(_Level(self.size, size, 2.0**k, config) for k, size in enumerate(sizes))
        # From a level to the next finer one; displacements double with the size.
        for k, (fine, coarse) in enumerate(itertools.pairwise(sizes)):
            self.register_buffer(f"grow_y{k}", _tensor(2.0 * resize(coarse[0], fine[0])))
            self.register_buffer(f"grow_x{k}", _tensor(resize(coarse[1], fine[1]).T))

    @torch.no_grad()
    def expand(self, images: Tensor) -> Expansion:
        """Polynomial expansion of (B, H, W) float32 images at every level of the pyramid."""
        if images.ndim != 3 or tuple(images.shape[1:]) != self.size or images.dtype != torch.float32:
            raise ValueError(
                f"images must be (B, {self.size[0]}, {self.size[1]}) float32, "
                f"got {tuple(images.shape)} {images.dtype}"
            )
        if torch.get_float32_matmul_precision() != "highest":
            raise ValueError(
                "Farneback flow needs full float32 matrix products: "
                "torch.set_float32_matmul_precision('highest')"
            )
        centred = images - GRAY_OFFSET
        return tuple(level.expand(centred) for level in self.levels)  # type: ignore[operator]

    @torch.no_grad()
    def displace(self, prev: Expansion, next: Expansion) -> Tensor:
        """Flow (B, 2, H, W) between two images given by their expansions, coarse to fine."""
        flow: Tensor | None = None
        for k in reversed(range(len(self.levels))):
            if flow is not None:
                flow = getattr(self, f"grow_y{k}") @ flow @ getattr(self, f"grow_x{k}")
            flow = self.levels[k](prev[k], next[k], flow)
        assert flow is not None
        return flow


class _Level(nn.Module):
    """One level of the pyramid: expansion and iterations."""

    def __init__(
        self, full: tuple[int, int], size: tuple[int, int], shrink: float, config: FlowConfig
    ) -> None:
        super().__init__()
        self.iterations = config.iterations
        height, width = size
        kernels, inverse = moments(config.poly_n, config.poly_sigma)
        # Smoothing, scaling and the three 1-D moments (1, t, t^2) of the expansion are one matrix per axis.
        for name, n_full, n in (("y", full[0], height), ("x", full[1], width)):
            scaled = resize(n_full, n) @ smooth(n_full, shrink)
            planes = np.concatenate([convolution(n, kernel, "edge") @ scaled for kernel in kernels])
            self.register_buffer(f"moments_{name}", _tensor(planes if name == "y" else planes.T))
            matrix = convolution(n, window(config.window_px, config.gaussian), "edge")
            self.register_buffer(f"window_{name}", _tensor(matrix if name == "y" else matrix.T))
        self.ig11, self.ig03, self.ig33, self.ig55 = inverse
        half = 0.5 * np.outer(fade(height), fade(width))
        self.register_buffer("weights", _tensor(np.array([1, 1, 1, 1, 0.5])[:, None, None] * half))
        self.register_buffer("signs", _channels([-1, -1, 1, 1, 1]))
        self.register_buffer("alone", _channels([0, 0, 1, 1, 1]))
        x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
        self.register_buffer("position", _tensor(np.stack([x, y])))
        # grid_sample takes positions scaled to -1..1. On a side of 2^k + 1 px that scaling is exact in
        # float32, so where nothing moves nothing is interpolated.
        sides = [2 ** (n - 2).bit_length() + 1 for n in (width, height)]
        self.padding = (0, sides[0] - width, 0, sides[1] - height)
        self.register_buffer("grid_step", _channels([2.0 / (side - 1) for side in sides]))
        self.register_buffer("grid_start", _channels([-1.0, -1.0]))
        self.register_buffer("limit", _channels([width - 1, height - 1]))

    moments_y: Tensor
    """(3 h, H)"""
    moments_x: Tensor
    """(W, 3 w)"""
    window_y: Tensor
    """(h, h)"""
    window_x: Tensor
    """(w, w)"""
    weights: Tensor
    """(5, h, w) factor of each coefficient's sum over both images, less near the border"""
    signs: Tensor
    alone: Tensor
    """(5, 1, 1)"""
    position: Tensor
    """(2, h, w) pixel coordinates (x, y)"""
    grid_step: Tensor
    grid_start: Tensor
    """(2, 1, 1) grid_sample's units per px; pixel 0 in them"""
    limit: Tensor
    """(2, 1, 1) first position without a right or lower neighbour"""

    def expand(self, images: Tensor) -> Tensor:
        """(B, H, W) -> (B, 5, h, w) coefficients of y, x, y^2, x^2, xy (Farneback, eq. 2)."""
        h, w = self.weights.shape[1:]
        down = self.moments_y @ images  # (B, 3 h, W)
        plain = down[:, :h] @ self.moments_x  # (B, h, 3 w): weights 1, x, x^2
        first = down[:, h : 2 * h] @ self.moments_x[:, : 2 * w]  # y times 1, x
        second = down[:, 2 * h :] @ self.moments_x[:, :w]  # y^2 times 1
        mean = plain[..., :w] * self.ig03
        return torch.stack(
            [
                first[..., :w] * self.ig11,
                plain[..., w : 2 * w] * self.ig11,
                torch.add(mean, second, alpha=self.ig33),
                torch.add(mean, plain[..., 2 * w :], alpha=self.ig33),
                first[..., w:] * self.ig55,
            ],
            dim=1,
        )

    def forward(self, prev: Tensor, next: Tensor, flow: Tensor | None) -> Tensor:
        # With these signs and weights a plain sum of the two images gives (Farneback, eqs. 9-10) half the
        # difference of the linear and the mean of the quadratic coefficients.
        next = F.pad(next * self.signs, self.padding)
        # As OpenCV: where one of the four neighbours is missing, the first image stands alone.
        alone = prev * self.alone
        for _ in range(self.iterations):
            system = self._equations(prev, next, alone, flow)
            flow = _solve(self.window_y @ system @ self.window_x)
        assert flow is not None
        return flow

    def _equations(self, prev: Tensor, next: Tensor, alone: Tensor, flow: Tensor | None) -> Tensor:
        """G (3 distinct entries) and h of each pixel's normal equations (Farneback, eqs. 11-12)."""
        if flow is None:
            inside = self.position < self.limit
            warped = next[..., : prev.shape[-2], : prev.shape[-1]]
        else:
            position = flow + self.position
            inside = (position >= 0) & (position < self.limit)
            grid = torch.empty_like(flow.permute(0, 2, 3, 1), memory_format=torch.contiguous_format)
            torch.addcmul(self.grid_start, position, self.grid_step, out=grid.permute(0, 3, 1, 2))
            warped = F.grid_sample(next, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
        both = (inside[..., 0, :, :] & inside[..., 1, :, :]).unsqueeze(-3)
        total = torch.where(both, warped, alone).add_(prev).mul_(self.weights)  # (B, 5, h, w)
        b_y, b_x, a_yy, a_xx, a_xy = total.unbind(1)
        if flow is not None:
            dx, dy = flow.unbind(1)
            b_y.addcmul_(a_yy, dy).addcmul_(a_xy, dx)
            b_x.addcmul_(a_xy, dy).addcmul_(a_xx, dx)
        system = torch.empty_like(total)
        g11, g12, g22, h1, h2 = system.unbind(1)
        cross = a_xy * a_xy
        torch.addcmul(cross, a_yy, a_yy, out=g11)
        torch.mul(a_yy + a_xx, a_xy, out=g12)
        torch.addcmul(cross, a_xx, a_xx, out=g22)
        torch.mul(a_yy, b_y, out=h1).addcmul_(a_xy, b_x)
        torch.mul(a_xy, b_y, out=h2).addcmul_(a_xx, b_x)
        return system


def _solve(system: Tensor) -> Tensor:
    """(B, 5, h, w) averaged normal equations -> (B, 2, h, w) displacement (x, y)."""
    g11, g12, g22, h1, h2 = system.unbind(1)
    scale = torch.addcmul(g11 * g22, g12, g12, value=-1.0).add_(1e-3).reciprocal_()
    flow = torch.empty_like(system[:, :2])
    dx, dy = flow.unbind(1)
    torch.mul(g11, h2, out=dx).addcmul_(g12, h1, value=-1.0).mul_(scale)
    torch.mul(g22, h1, out=dy).addcmul_(g12, h2, value=-1.0).mul_(scale)
    return flow


def _channels(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None, None]


def _tensor(matrix: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(matrix, np.float32))

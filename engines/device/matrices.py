"""The matrices of Farneback flow: each separable, linear step of the algorithm along one axis, borders included.

They follow OpenCV's ``calcOpticalFlowFarneback`` in every choice that the paper leaves open.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SMALLEST_LEVEL_PX = 32
"""OpenCV takes no pyramid level with a side shorter than this."""


def level_sizes(height: int, width: int, levels: int) -> list[tuple[int, int]]:
    """(h, w) of the full image and of each usable halving of it."""
    sizes = [(height, width)]
    for k in range(1, levels + 1):
        scale = 0.5**k
        if min(height, width) * scale < SMALLEST_LEVEL_PX:
            break
        sizes.append((round(height * scale), round(width * scale)))
    return sizes


def convolution(n: int, kernel: NDArray[np.float64], border: str) -> NDArray[np.float64]:
    """(n, n) matrix that correlates a signal with an odd kernel; border "edge" or "reflect" (101)."""
    reach = len(kernel) // 2
    matrix = np.zeros((n, n))
    source = np.pad(np.arange(n), reach, mode=border)  # type: ignore[call-overload]
    for k, weight in enumerate(kernel):
        np.add.at(matrix, (np.arange(n), source[k : k + n]), weight)
    return matrix


def smooth(n: int, shrink: float) -> NDArray[np.float64]:
    """(n, n) Gaussian smoothing before an image is made ``shrink`` times smaller."""
    sigma = (shrink - 1.0) * 0.5
    if sigma == 0.0:  # the full-size level is smoothed too, with OpenCV's fixed 3-tap kernel
        return convolution(n, np.array([0.25, 0.5, 0.25]), "reflect")
    taps = max(round(sigma * 5) | 1, 3)
    return convolution(n, _gaussian(taps // 2, sigma), "reflect")


def _gaussian(reach: int, sigma: float) -> NDArray[np.float64]:
    """Samples -reach..reach of a Gaussian, sum 1."""
    t = np.arange(-reach, reach + 1)
    kernel: NDArray[np.float64] = np.exp(-(t**2) / (2.0 * sigma**2))
    kernel /= kernel.sum()
    return kernel


def window(size_px: int, gaussian: bool) -> NDArray[np.float64]:
    """Kernel of the window over which the equations are averaged."""
    reach = size_px // 2
    if gaussian:
        return _gaussian(reach, reach * 0.3) if reach else np.ones(1)
    # OpenCV sums 2 * reach + 1 pixels and divides by the size that was asked for, also when it is even.
    return np.full(2 * reach + 1, 1.0 / size_px)


def resize(n_in: int, n_out: int) -> NDArray[np.float64]:
    """(n_out, n_in) linear interpolation with pixel centres at half, clamped at the ends, no smoothing."""
    position = np.clip((np.arange(n_out) + 0.5) * (n_in / n_out) - 0.5, 0.0, n_in - 1.0)
    low = np.minimum(np.floor(position).astype(int), n_in - 1)
    matrix = np.zeros((n_out, n_in))
    np.add.at(matrix, (np.arange(n_out), low), 1.0 - (position - low))
    np.add.at(matrix, (np.arange(n_out), np.minimum(low + 1, n_in - 1)), position - low)
    return matrix


def moments(poly_n: int, sigma: float) -> tuple[list[NDArray[np.float64]], tuple[float, float, float, float]]:
    """Kernels g, t g, t^2 g and the four distinct entries of the inverse normal matrix that are needed.

    Weighted least squares on the basis 1, x, y, x^2, y^2, xy over (2 n + 1)^2 pixels (Farneback, eq. 3).
    """
    g = _gaussian(poly_n, sigma)
    t = np.arange(-poly_n, poly_n + 1, dtype=np.float64)
    y, x = (a.ravel() for a in np.meshgrid(t, t, indexing="ij"))
    basis = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y])  # (6, pixels)
    inverse = np.linalg.inv((basis * np.outer(g, g).ravel()) @ basis.T)
    return [g, t * g, t * t * g], (inverse[1, 1], inverse[0, 3], inverse[3, 3], inverse[5, 5])


def fade(n: int) -> NDArray[np.float64]:
    """(n,) how far a pixel's equations count near the border (OpenCV's weights)."""
    weight = np.ones(n)
    near = np.array([0.14, 0.14, 0.4472, 0.4472, 0.4472])
    weight[:5] *= near
    weight[-5:] *= near[::-1]
    return weight

"""The temporal interpolation model (Zhou, Zhao, Pietikainen; CVPR 2011): as many frames as one wants."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def tim(frames: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Frames (T, H, W) -> (count, H, W) on the curve through them; 0 leaves them as they are.

    The frames are the nodes of a path graph, whose eigenvectors lie on f_k(t) = sin(pi k t + pi (T - k) / (2 T)),
    k = 1 .. T - 1, at t = 1/T .. 1 (eqs. 2-4). A linear map leads from there back to the pictures (eq. 7). Of frames
    that are linearly independent, as filmed ones are, that map is exact: the curve goes through every frame.

    Raises:
        ValueError: Fewer than two frames.
    """
    given = len(frames)
    if count in (0, given):
        return frames
    if given < 2:
        raise ValueError("one frame cannot be interpolated: prepare frames:steps=2 or more")
    k = np.arange(given)

    def curve(t: NDArray[np.float64]) -> NDArray[np.float64]:  # k = 0 is the mean frame
        return np.sin(np.pi * k * t[:, None] + np.pi * (given - k) / (2 * given))

    nodes = curve(np.arange(1, given + 1) / given)
    wanted = curve(np.linspace(1 / given, 1, count))
    mixed = wanted @ np.linalg.inv(nodes)  # (count, T)
    return np.tensordot(mixed.astype(np.float32), frames, 1)

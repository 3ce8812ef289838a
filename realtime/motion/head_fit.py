"""How the head moved, by the points that expressions move little."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.motion.regions import DEPTH, STABLE

Array = NDArray[np.float64]


class HeadFit:
    """Rigid head motion from point displacements: shift, scale, roll, small turns by the mean face's depth.

    To first order a rigid, weakly perspective head moves a point at (x, y, z) by
    ``dx = tx + s x - r y + u z``, ``dy = ty + s y + r x + v z``; u, v are yaw and pitch. Solved by
    iteratively reweighted least squares (Tukey), points that expressions move counting little.
    """

    _PRIOR = np.diag([1e-6, 1e-6, 1e-6, 1e-6, 0.4, 0.4])
    _ROUNDS = 2
    """Of reweighting; the weights of the last call are the start, so they settle over frames."""

    def __init__(self, points: NDArray[np.float32], size: int) -> None:
        xy = (points - (size - 1) / 2) / (size / 4)  # about -2..2, so that the system is well scaled
        x, y = xy[:, 0].astype(np.float64), xy[:, 1].astype(np.float64)
        z, one, zero = DEPTH / 56.0, np.ones(len(xy)), np.zeros(len(xy))
        self._unit = size / 4
        ax = np.stack([one, zero, x, -y, z, zero], 1)  # (P, 6)
        ay = np.stack([zero, one, y, x, zero, z], 1)
        outer = ax[:, :, None] * ax[:, None] + ay[:, :, None] * ay[:, None]
        self._outer = outer.reshape(len(xy), 36)
        self._design = np.stack([ax, ay], 1).reshape(2 * len(xy), 6)  # rows x0, y0, x1, y1, ...
        self._trust = np.ones(len(xy))
        self._core = np.flatnonzero(STABLE)

    def __call__(self, moved: Array, weight: Array) -> tuple[Array, Array]:
        """Fit (P, 2) displacements with (P,) weights; return the (6,) motion and the (P, 2) residual, px."""
        target = moved.reshape(-1)
        design = self._design
        for _ in range(self._ROUNDS):
            robust = weight * self._trust
            normal = (robust @ self._outer).reshape(6, 6) + self._PRIOR
            right = (moved * robust[:, None]).reshape(-1) @ design
            theta = cv2.solve(normal, right[:, None], flags=cv2.DECOMP_CHOLESKY)[1][:, 0]
            residual = (target - design @ theta).reshape(moved.shape)
            error = np.einsum("pc,pc->p", residual, residual)
            core = error[self._core]
            middle = np.partition(core, len(core) // 2)[len(core) // 2]
            trust = np.maximum(0.0, 1.0 - error / (16.0 * max(0.0144, float(middle))))
            self._trust = trust * trust
        return theta, residual

    def head(self, theta: Array) -> Array:
        """(4,) x px, y px, roll rad, log scale of a fitted motion."""
        return np.array([theta[0], theta[1], theta[3] / self._unit, theta[2] / self._unit])

"""Kernel mean matching: weights that make the source's mean in feature space the target's."""

from __future__ import annotations

import numpy as np

from mer_live.training.methods.adaptation.base import Matrix

_STEPS = 2000


def matching_terms(source: Matrix, cross: Matrix) -> tuple[Matrix, Matrix]:
    """K and kappa of |1/n sum s_i phi(x_i) - 1/m sum phi(z_j)|^2 = 1/n^2 (s'Ks - 2 kappa's) + constant.

    ``source`` (N, N) is the source's kernel, ``cross`` (N, M) that to the target; kappa_i = n/m sum_j k(x_i, z_j).
    """
    return source, len(source) * cross.mean(1)


def bounded_qp(matrix: Matrix, linear: Matrix, upper: float, low: float, high: float) -> Matrix:
    """Minimise s'Ks / 2 - k's with 0 <= s <= upper and low <= sum(s) <= high, by accelerated projected gradient.

    Args:
        matrix: K (N, N), positive semidefinite.
        linear: k (N,).
        upper: Of each element.
        low, high: Of the sum.

    Raises:
        ValueError: No s meets the bounds.
    """
    n = len(linear)
    if not 0 <= low <= high or low > n * upper:
        raise ValueError(f"{n} weights of at most {upper} cannot have a sum within {low} .. {high}")
    step = 1 / max(float(np.linalg.eigvalsh(matrix)[-1]), 1e-12)
    s = ahead = _project(np.full(n, (low + high) / 2 / n), upper, low, high)
    pace = 1.0
    for _ in range(_STEPS):
        moved = _project(ahead - step * (matrix @ ahead - linear), upper, low, high)
        if np.dot(ahead - moved, moved - s) > 0:
            pace = 1.0  # it runs past the minimum: begin anew (O'Donoghue, Candes 2015, eq. 12)
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = moved + (pace - 1) / faster * (moved - s)
        change, s, pace = float(np.abs(moved - s).max()), moved, float(faster)
        if change < 1e-9 * max(1.0, float(s.max())):
            break
    return s


def _project(v: Matrix, upper: float, low: float, high: float) -> Matrix:
    """Nearest point of the feasible set: the same shift for all, then clipped."""
    inside = np.clip(v, 0, upper)
    total = inside.sum()
    if low <= total <= high:
        return inside
    bound = low if total < low else high
    # sum(clip(v - shift)) falls with the shift: halve the interval that holds the bound.
    left, right = float(v.min()) - upper, float(v.max())
    for _ in range(60):
        shift = (left + right) / 2
        if np.clip(v - shift, 0, upper).sum() > bound:
            left = shift
        else:
            right = shift
    return np.clip(v - (left + right) / 2, 0, upper)

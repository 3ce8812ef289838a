"""TKL (Long, Wang, Sun, Yu; IEEE TKDE 2015): the target's eigensystem, with a spectrum fitted to the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mer_live.training.methods.adaptation.base import (
    AdaptationConfig,
    Adapting,
    Decision,
    Labels,
    Matrix,
    linear_svm,
    median_gamma,
    rbf,
)


@dataclass(frozen=True, slots=True)
class TklConfig(AdaptationConfig):
    """Settings of `Tkl`."""

    damping: float = 1.1
    """Zeta: each eigenvalue is at least so many times the next one."""


class Tkl(Adapting):
    """The source's kernel is rebuilt from the target's eigenvectors, extended by Nystroem's formula.

    Gaussian kernel of median width; the domain-invariant kernel goes to an SVM.
    """

    name: ClassVar[str] = "tkl"
    Config = TklConfig

    def adapt(self, source: Matrix, labels: Labels, target: Matrix) -> Decision:
        """K_A = Phi diag(spectrum) Phi' is an inner product: map once, then a linear SVM."""
        gamma = median_gamma(np.concatenate([source, target]))
        values, vectors = np.linalg.eigh(rbf(target, target, gamma))
        kept = values > 1e-6 * values[-1]
        values, vectors = values[kept][::-1], vectors[:, kept][:, ::-1]  # largest first
        extension = vectors / values  # Phi(x) = k(x, T) Phi_T / Lambda_T
        phi = rbf(source, target, gamma) @ extension
        spectrum = fitted_spectrum(phi, rbf(source, source, gamma), self.config.damping)
        mapping = extension * np.sqrt(spectrum)
        decide = linear_svm(rbf(source, target, gamma) @ mapping, labels, self.config.c)
        return lambda x: decide(rbf(x, target, gamma) @ mapping)


def fitted_spectrum(phi: Matrix, kernel: Matrix, damping: float) -> Matrix:
    """Minimise |Phi diag(l) Phi' - K|_F with l_i >= zeta l_{i+1} >= 0.

    Args:
        phi: (N, r) extrapolated eigenvectors, largest eigenvalue first.
        kernel: K (N, N) of the source.
        damping: Zeta, at least 1.

    Returns:
        (r,). With l = M g, g >= 0 and M_ij = zeta^(j - i) for j >= i, this is nonnegative least squares.
    """
    from scipy.optimize import nnls

    r = phi.shape[1]
    inner = phi.T @ phi
    quadratic = inner * inner  # of l' Q l / 2 - r' l
    linear = np.einsum("nr,nm,mr->r", phi, kernel, phi, optimize=True)
    steps = np.arange(r)[None] - np.arange(r)[:, None]
    ladder = np.where(
        steps >= 0, damping ** -(np.arange(r)[:, None] + 0.0), 0.0
    )  # columns scaled to 1 at i = 0
    values, vectors = np.linalg.eigh(quadratic)
    kept = values > 1e-12 * values[-1]
    root = np.sqrt(values[kept])
    a = (vectors[:, kept] * root).T  # a'a = Q
    b = vectors[:, kept].T @ linear / root
    g, _ = nnls(a @ ladder, b)
    return np.asarray(ladder @ g)

"""TCA (Pan, Tsang, Kwok, Yang; IEEE TNN 2011): components in which source and target have one mean."""

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
)


@dataclass(frozen=True, slots=True)
class TcaConfig(AdaptationConfig):
    """Settings of `Tca`."""

    components: int = 30
    mu: float = 0.01
    """Weight of tr(W'W)."""


class Tca(Adapting):
    """Linear kernel, then a linear SVM on the components, scaled to unit variance over both domains."""

    name: ClassVar[str] = "tca"
    Config = TcaConfig

    def adapt(self, source: Matrix, labels: Labels, target: Matrix) -> Decision:
        """Project both domains; W acts on the kernel to all clips, so new clips are projected too."""
        both = np.concatenate([source, target])
        w = transfer_components(both @ both.T, len(source), self.config.components, self.config.mu)
        directions = both.T @ w  # (D, m): linear kernel, K W = X (X'W)
        # W'KHKW = I gives every component the variance 1 / n: an expected squared length of 1 again.
        directions *= np.sqrt(len(both) / directions.shape[1])
        decide = linear_svm(source @ directions, labels, self.config.c)
        return lambda x: decide(x @ directions)


def transfer_components(kernel: Matrix, sources: int, components: int, mu: float) -> Matrix:
    """Minimise tr(W'KLKW) + mu tr(W'W) with W'KHKW = I.

    Args:
        kernel: (N, N) over source, then target.
        sources: How many rows are the source.
        components: At most.
        mu: Weight of the norm.

    Returns:
        (N, m): leading eigenvectors of (KLK + mu I)^-1 KHK, found as a symmetric generalised problem.
    """
    from scipy.linalg import eigh

    n = len(kernel)
    e = np.where(np.arange(n) < sources, 1 / sources, -1 / (n - sources))  # L = e e'
    gap = kernel @ e
    centred = kernel - kernel.mean(0)  # HK
    spread = centred.T @ centred  # KHK
    values, vectors = eigh(spread, np.outer(gap, gap) + mu * np.eye(n))
    count = min(components, int((values > 1e-9 * values[-1]).sum()))
    chosen = vectors[:, ::-1][:, :count]
    return np.asarray(chosen / np.sqrt(values[::-1][:count]))

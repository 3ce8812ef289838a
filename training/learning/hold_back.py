"""Holding back whole subjects, so that nobody is judged by what was learnt from themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def disjoint_rows(
    subjects: NDArray[np.str_], labels: NDArray[np.int64], fraction: float, seed: int
) -> NDArray[np.bool_]:
    """Choose whole subjects so that about ``fraction`` of the clips is held back, classes kept in proportion.

    The holdout protocol and the inner split of early stopping both use it; the latter is handed training
    subjects only.

    Returns:
        (N,) True for the rows held back; never all subjects, never none.

    Raises:
        ValueError: Fewer than two subjects, or the fraction is not inside 0..1.
    """
    names, who = np.unique(subjects, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"{len(names)} subject cannot be split by subject: at least two are needed")
    if not 0 < fraction < 1:
        raise ValueError(f"the share to hold back must lie between 0 and 1, got {fraction}")
    table = np.zeros((len(names), int(labels.max()) + 1))
    np.add.at(table, (who, labels), 1)
    wanted = table.sum(0) * fraction
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x5711]))
    best, chosen = np.inf, np.zeros(len(names), bool)
    for _ in range(256):
        order = rng.permutation(len(names))
        held = np.cumsum(table[order].sum(1))
        count = min(max(int(np.searchsorted(held, wanted.sum())) + 1, 1), len(names) - 1)
        for n in {count, max(count - 1, 1)}:
            cost = float(np.abs(table[order[:n]].sum(0) - wanted).sum())
            if cost < best:
                best, chosen = cost, np.isin(np.arange(len(names)), order[:n])
    return chosen[who]

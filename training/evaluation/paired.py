"""Are two methods different on the same clips? McNemar over clips, bootstrap over subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mer_live.training.metrics import uf1_of


@dataclass(frozen=True, slots=True)
class Paired:
    """The first method against the second."""

    better: int
    """Clips that the first alone names rightly."""
    worse: int
    """Clips that the second alone names rightly."""
    p: float
    """McNemar's exact test: how often chance alone would part the two at least as far, were they equally good."""
    difference: float
    """UF1 of the first minus that of the second, mean over parts."""
    low: float
    high: float
    """95 % percentile bootstrap interval of the difference; whole subjects are drawn."""


def compare(
    truth: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    subjects: ArrayLike,
    parts: ArrayLike,
    classes: int,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> Paired:
    """Compare two predictions of the same clips.

    The clips of one person are not independent, which McNemar's test takes them to be: where the two disagree with
    each other, believe the interval. (McNemar, Psychometrika 1947; Edwards' correction is not needed, the binomial
    distribution is taken as it is.)

    Args:
        truth: (N,) class numbers.
        first, second: (N,) predicted class numbers.
        subjects: (N,) names.
        parts: (N,) what is scored apart and averaged (CDMER's tasks); one value where all is pooled.
        classes: How many there are.
        draws: Of the bootstrap.
        seed: Of the bootstrap.
    """
    from scipy.stats import binomtest

    t, a, b = (np.asarray(x, np.int64) for x in (truth, first, second))
    better, worse = int(((a == t) & (b != t)).sum()), int(((b == t) & (a != t)).sum())
    p = float(binomtest(better, better + worse, 0.5).pvalue) if better + worse else 1.0
    names, who = np.unique(np.asarray(subjects), return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    weight = np.concatenate([np.ones((1, len(names)), np.int64), drawn])  # the first row is all clips once
    labels = np.asarray(parts)
    gaps = []
    for part in np.unique(labels):
        mine = labels == part
        f1 = [_uf1(t[mine], guess[mine], who[mine], weight, classes) for guess in (a, b)]
        gaps.append(f1[0] - f1[1])
    gap = np.nanmean(np.stack(gaps), 0)
    low, high = np.nanpercentile(gap[1:], [2.5, 97.5])
    return Paired(better, worse, p, float(gap[0]), float(low), float(high))


def seed_mean(probabilities: Sequence[ArrayLike]) -> NDArray[np.int64]:
    """One prediction (N,) of several seeds' probabilities (N, C): the largest of their mean."""
    return np.asarray(np.mean([np.asarray(p, np.float64) for p in probabilities], 0).argmax(1), np.int64)


def _uf1(
    truth: NDArray[np.int64],
    guess: NDArray[np.int64],
    who: NDArray[np.int64],
    weight: NDArray[np.int64],
    classes: int,
) -> NDArray[np.float64]:
    """(D,) UF1 of each row of weights (D, people)."""
    tables = np.zeros((weight.shape[1], classes**2), np.int64)
    np.add.at(tables, (who, truth * classes + guess), 1)
    return uf1_of((weight @ tables).reshape(len(weight), classes, classes))

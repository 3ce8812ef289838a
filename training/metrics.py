"""UF1, UAR and accuracy from confusion counts that are pooled over all folds first (MEGC 2019).

Counts, never scores, are added: averaging the F1 of folds is a different and larger number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mer_live.realtime.types import CLASSES

Confusion = NDArray[np.int64]
"""(C, C) counts, row = true class, column = predicted class."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Pooled scores of one confusion matrix, each 0..1."""

    uf1: float
    """Unweighted mean F1 over classes that occur in truth or prediction; CDMER calls it mean F1."""
    uar: float
    """Unweighted mean recall over classes that occur in truth."""
    accuracy: float
    """Share of right answers (WAR)."""

    def as_dict(self) -> dict[str, float]:
        """Return the three scores under their names."""
        return {"uf1": self.uf1, "uar": self.uar, "accuracy": self.accuracy}


def confusion(truth: ArrayLike, predicted: ArrayLike, classes: int = len(CLASSES)) -> Confusion:
    """Count (true, predicted) pairs of class numbers 0, 1, ..., ``classes`` - 1.

    Raises:
        ValueError: The lengths differ or a class number is unknown.
    """
    t, p = np.asarray(truth, np.int64).reshape(-1), np.asarray(predicted, np.int64).reshape(-1)
    if t.shape != p.shape:
        raise ValueError(f"{len(t)} labels but {len(p)} predictions: every clip needs one prediction")
    if len(t) and not (min(t.min(), p.min()) >= 0 and max(t.max(), p.max()) < classes):
        raise ValueError(f"class numbers must lie in 0..{classes - 1}")
    counts: Confusion = np.bincount(t * classes + p, minlength=classes * classes).reshape(classes, classes)
    return counts


def scores(counts: Confusion) -> Scores:
    """Return UF1, UAR and accuracy of pooled counts (SA-AT eqs. 5-8, ATNet eqs. 8-10).

    A class that never occurs, in truth or prediction, has no F1 and is left out of the mean; one that is
    only predicted has F1 0 and no recall. So the scores are defined for any list of at least one clip.

    Raises:
        ValueError: There is not one clip.
    """
    uf1, uar, accuracy = _scores(np.asarray(counts, np.float64)[None])
    if not np.isfinite(accuracy[0]):
        raise ValueError("no clip was predicted: there is nothing to score")
    return Scores(float(uf1[0]), float(uar[0]), float(accuracy[0]))


def per_class(counts: Confusion, names: Sequence[str] = CLASSES) -> dict[str, dict[str, float | int | None]]:
    """Return F1, recall and number of clips of each class; None where a class has no such score."""
    result: dict[str, dict[str, float | int | None]] = {}
    for c, name in enumerate(names):
        hit, true, said = int(counts[c, c]), int(counts[c].sum()), int(counts[:, c].sum())
        result[name] = {
            "f1": 2 * hit / (true + said) if true + said else None,
            "recall": hit / true if true else None,
            "clips": true,
        }
    return result


@dataclass(frozen=True, slots=True)
class Summary:
    """Scores of several seeds of one experiment."""

    seeds: tuple[Scores, ...]
    mean: Scores
    std: Scores
    """Sample standard deviation over seeds (n - 1); 0 with one seed."""
    low: Scores
    high: Scores
    """Percentile bootstrap interval over subjects of the mean over seeds."""


def summarise(
    truth: ArrayLike,
    predicted: Sequence[ArrayLike],
    subjects: ArrayLike,
    *,
    classes: int = len(CLASSES),
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Summary:
    """Score one experiment: mean and deviation over seeds, bootstrap interval over subjects.

    Clips of one person are not independent, so whole subjects are drawn, with replacement; each draw is
    scored for every seed and averaged over them.

    Args:
        truth: (N,) class numbers.
        predicted: One (N,) array for each seed.
        subjects: (N,) namespaced subject names.
        classes: How many there are.
        level: Coverage of the interval.
        draws: Bootstrap draws.
        seed: Of the bootstrap.

    Raises:
        ValueError: Nothing to score, or lengths differ.
    """
    t, who = np.asarray(truth, np.int64), np.asarray(subjects)
    if not len(predicted):
        raise ValueError("no seed was run: there is nothing to score")
    if len(t) != len(who):
        raise ValueError(f"{len(t)} labels but {len(who)} subjects")
    each = tuple(scores(confusion(t, p, classes)) for p in predicted)
    names, row_subject = np.unique(who, return_inverse=True)
    rng = np.random.default_rng(seed)
    weight = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    total = np.zeros((3, draws))
    for p in predicted:
        tables = np.zeros((len(names), classes**2), np.int64)
        np.add.at(tables, (row_subject, t * classes + np.asarray(p, np.int64)), 1)
        drawn = (weight @ tables).reshape(draws, classes, classes)
        total += np.stack(_scores(drawn.astype(np.float64)))
    tail = 50 * (1 - level)
    low, high = np.percentile(total / len(predicted), [tail, 100 - tail], axis=1)
    matrix = np.array([[s.uf1, s.uar, s.accuracy] for s in each])
    deviation = matrix.std(0, ddof=1) if len(each) > 1 else np.zeros(3)
    return Summary(each, _pack(matrix.mean(0)), _pack(deviation), _pack(low), _pack(high))


def average(summaries: Sequence[Summary]) -> Summary:
    """Average tasks that are scored apart (CDMER), seed by seed.

    The interval is the mean of the tasks' bounds, which is wider than that of the mean.
    """
    if not summaries:
        raise ValueError("no task was scored: there is nothing to average")

    def mean(values: Sequence[Scores]) -> Scores:
        return _pack(np.array([[s.uf1, s.uar, s.accuracy] for s in values]).mean(0))

    each = tuple(mean(one) for one in zip(*(s.seeds for s in summaries), strict=True))
    matrix = np.array([[s.uf1, s.uar, s.accuracy] for s in each])
    deviation = matrix.std(0, ddof=1) if len(each) > 1 else np.zeros(3)
    low, high = mean([s.low for s in summaries]), mean([s.high for s in summaries])
    return Summary(each, mean(each), _pack(deviation), low, high)


def as_report(summary: Summary, seeds: Sequence[int]) -> Mapping[str, object]:
    """Return the JSON form: the means under their names, deviation, interval, and each seed."""
    low, high = summary.low.as_dict(), summary.high.as_dict()
    return {
        **summary.mean.as_dict(),
        "std": summary.std.as_dict(),
        "interval": {name: [low[name], high[name]] for name in low},
        "seeds": {str(seed): one.as_dict() for seed, one in zip(seeds, summary.seeds, strict=True)},
    }


def uf1_of(counts: ArrayLike) -> NDArray[np.float64]:
    """UF1 (D,) of many tables (D, C, C); NaN where a table is empty."""
    return _scores(np.asarray(counts, np.float64))[0]


def _pack(values: NDArray[np.float64]) -> Scores:
    return Scores(*(float(v) for v in values))


def _scores(counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """(D, C, C) -> UF1, UAR, accuracy, each (D,); NaN where a table is empty."""
    hit = np.einsum("dcc->dc", counts)
    true, said = counts.sum(2), counts.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        f1 = 2 * hit / (true + said)  # = 2 TP / (2 TP + FP + FN)
        recall = hit / true
        accuracy = hit.sum(1) / counts.sum((1, 2))
    return _mean_defined(f1), _mean_defined(recall), accuracy


def _mean_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    defined = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = np.where(defined, values, 0).sum(1) / defined.sum(1)
    return mean

"""Each row of a table against its best one, on the same clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.training.evaluation.material import ANNOTATED, FoldResult
from mer_live.training.evaluation.paired import compare, seed_mean
from mer_live.training.evaluation.protocols import Split
from mer_live.training.metrics import confusion, scores
from mer_live.training.prepared.prepared_set import PreparedSet


def against_best(
    split: Split, prepared: PreparedSet, rows: Mapping[str, Sequence[FoldResult]]
) -> list[dict[str, Any]]:
    """Compare every row with the one of the highest UF1.

    Seeds are averaged to one prediction a clip. A row that did not test every clip of the split is left out.

    Args:
        split: Of the table.
        prepared: Its clips.
        rows: Name -> its finished folds.

    Returns:
        ``row``, ``against`` and the fields of `Paired` for each row but the best, in the given order.
    """
    tested = np.concatenate([fold.test for fold in split.folds])
    parts = np.concatenate(
        [np.full(len(fold.test), k if split.tasks else 0) for k, fold in enumerate(split.folds)]
    )
    wanted = [
        (fold.name if split.tasks else "", str(prepared.keys[row]))
        for fold in split.folds
        for row in fold.test
    ]
    truth, classes = split.labels[tested], len(split.classes)
    guesses: dict[str, NDArray[np.int64]] = {}
    for name, results in rows.items():
        found: dict[int, dict[tuple[str, str], list[float]]] = {}
        for result in results:
            place = result.fold if split.tasks else ""
            answers = zip(result.keys, result.probabilities[ANNOTATED], strict=True)
            found.setdefault(result.seed, {}).update({(place, key): p for key, p in answers})
        if found and all(set(wanted) <= set(one) for one in found.values()):
            guesses[name] = seed_mean([[one[clip] for clip in wanted] for one in found.values()])
    if len(guesses) < 2:
        return []

    def uf1(guess: NDArray[np.int64]) -> float:
        each = [
            scores(confusion(truth[parts == k], guess[parts == k], classes)).uf1 for k in np.unique(parts)
        ]
        return float(np.mean(each))

    best = max(guesses, key=lambda name: uf1(guesses[name]))
    return [
        {
            "row": name,
            "against": best,
            **asdict(compare(truth, guess, guesses[best], prepared.subjects[tested], parts, classes)),
        }
        for name, guess in guesses.items()
        if name != best
    ]

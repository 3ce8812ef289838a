from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from mer_live.training.metrics import as_report, confusion, per_class, scores, summarise

labels = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60)


@settings(max_examples=80, deadline=None)
@given(labels)
def test_equals_sklearn_whatever_classes_occur(pairs: list[tuple[int, int]]) -> None:
    t, p = zip(*pairs, strict=True)
    s = scores(confusion(t, p))
    assert s.accuracy == pytest.approx(accuracy_score(t, p))
    assert s.uf1 == pytest.approx(f1_score(t, p, average="macro"))
    assert s.uar == pytest.approx(recall_score(t, p, labels=sorted(set(t)), average="macro"))


def test_pooling_comes_before_the_score() -> None:
    """Two folds of two clips: pooled UF1 by hand, and it is not the mean of the folds' UF1."""
    a, b = confusion([0, 1], [0, 1]), confusion([0, 2], [0, 0])
    pooled = scores(a + b)
    # class 0: TP 2 FP 1 FN 0 -> 4/5; class 1: 1; class 2: 0
    assert pooled.uf1 == pytest.approx((0.8 + 1 + 0) / 3)
    assert pooled.uf1 != pytest.approx((scores(a).uf1 + scores(b).uf1) / 2)


def test_absent_class_and_single_clip_stay_defined() -> None:
    assert scores(confusion([1], [1])).uf1 == 1
    s = scores(confusion([0, 0, 1], [0, 2, 1]))
    assert s.uf1 == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert s.uar == pytest.approx((0.5 + 1) / 2)
    assert per_class(confusion([0], [0]))["surprise"] == {"f1": None, "recall": None, "clips": 0}


def test_errors() -> None:
    with pytest.raises(ValueError, match="nothing to score"):
        scores(confusion([], []))
    with pytest.raises(ValueError, match="must lie in"):
        confusion([0], [3])
    with pytest.raises(ValueError, match="every clip"):
        confusion([0, 1], [0])
    with pytest.raises(ValueError, match="no seed"):
        summarise([0], [], ["a/1"])


def test_interval_draws_subjects_not_clips() -> None:
    """All of a subject's clips are right or all wrong: the interval is that of 10 draws, not of 200."""
    rng = np.random.default_rng(0)
    subjects = np.repeat([f"d/{i}" for i in range(10)], 20)
    truth = rng.integers(0, 3, 200)
    wrong = np.repeat(np.arange(10) % 2 == 0, 20)
    predicted = np.where(wrong, (truth + 1) % 3, truth)
    s = summarise(truth, [predicted], subjects)
    clips = summarise(truth, [predicted], np.array([f"d/{i}" for i in range(200)]))
    assert s.mean.accuracy == pytest.approx(0.5)
    assert s.high.accuracy - s.low.accuracy > 3 * (clips.high.accuracy - clips.low.accuracy)
    assert s.low.accuracy <= s.mean.accuracy <= s.high.accuracy


def test_seeds_mean_and_deviation() -> None:
    truth = np.array([0, 1, 2, 0])
    other = np.array([0, 1, 2, 1])
    s = summarise(truth, [truth, other], ["d/1", "d/1", "d/2", "d/2"])
    assert s.mean.accuracy == pytest.approx(0.875)
    assert s.std.accuracy == pytest.approx(np.std([1, 0.75], ddof=1))
    assert summarise(truth, [truth], ["d/1"] * 4).std.uf1 == 0
    report = as_report(s, [3, 4])
    assert set(report) == {"uf1", "uar", "accuracy", "std", "interval", "seeds"}
    assert s == summarise(truth, [truth, other], ["d/1", "d/1", "d/2", "d/2"])

"""Paired tests against cases whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from mer_live.training.evaluation.paired import compare, seed_mean
from mer_live.training.metrics import confusion, scores


def test_mcnemar_is_the_exact_binomial_test_of_the_clips_that_differ() -> None:
    truth = np.zeros(20, int)
    first, second = np.zeros(20, int), np.zeros(20, int)
    second[:9] = 1  # the first alone is right in nine
    first[9] = 1  # the second alone in one
    first[10:12] = second[10:12] = 2
    found = compare(truth, first, second, np.arange(20), np.zeros(20), 3)
    assert (found.better, found.worse) == (9, 1)
    assert found.p == pytest.approx(2 * (1 + 10) / 2**10)
    same = compare(truth, first, first, np.arange(20), np.zeros(20), 3)
    assert (same.better, same.worse, same.p) == (0, 0, 1.0)
    assert same.difference == same.low == same.high == 0


def test_the_difference_is_of_uf1_and_the_interval_draws_people() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 120)
    second = np.where(rng.random(120) < 0.5, truth, (truth + 1) % 3)
    people = np.repeat(np.arange(12), 10)
    found = compare(truth, truth, second, people, np.zeros(120), 3)
    want = 1 - scores(confusion(truth, second)).uf1
    assert found.difference == pytest.approx(want)
    assert 0 < found.low < want < found.high
    # The same answers from two people alone: the interval is wider, the test over clips does not notice.
    few = compare(truth, truth, second, people // 6, np.zeros(120), 3)
    assert few.p == found.p
    assert compare(truth, truth, second, people, np.zeros(120), 3) == found


def test_tasks_are_scored_apart_and_averaged() -> None:
    truth = np.array([0, 1, 2, 0, 1, 2])
    first = np.array([0, 1, 2, 0, 0, 0])
    second = np.array([0, 0, 0, 0, 1, 2])
    parts = np.array([0, 0, 0, 1, 1, 1])
    found = compare(truth, first, second, np.array(list("abcabc")), parts, 3)
    assert found.difference == pytest.approx(0)
    assert (found.better, found.worse) == (2, 2)


def test_seeds_vote_by_their_mean_probability() -> None:
    one = [[0.6, 0.4, 0.0], [0.1, 0.2, 0.7]]
    two = [[0.1, 0.8, 0.1], [0.0, 0.5, 0.5]]
    assert seed_mean([one, two]).tolist() == [1, 2]

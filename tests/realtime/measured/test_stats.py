from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_live.realtime.measured.stats import Durations, Rate


@given(st.lists(st.integers(1_000, 10**10), min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99]))
def test_quantiles_are_within_two_percent(values: list[int], q: float) -> None:
    durations = Durations()
    for value in values:
        durations.add(value)
    truth = sorted(values)[min(int(q * len(values)), len(values) - 1)] / 1e6
    assert durations.quantile_ms(q) == pytest.approx(truth, rel=0.02)


def test_nothing_counted_has_no_quantile() -> None:
    assert Durations().summary(50) == {"p50": None, "n": 0}


def test_durations_outside_the_histogram_are_kept_at_its_ends() -> None:
    durations = Durations()
    durations.add(-5)
    durations.add(10**15)
    assert durations.n == 2
    assert durations.max_ns == 10**15


def test_rate_is_measured_from_the_times_alone() -> None:
    rate = Rate(window=16)
    assert rate.hz == 0.0
    for t_ns in np.arange(100) * 5_000_000:
        rate.add(int(t_ns))
    assert rate.hz == pytest.approx(200.0)

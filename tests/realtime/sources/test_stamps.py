from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_live.realtime.sources.stamps import Mended, Mender, Stamps

MS = 1_000_000
HOUR = 3_600_000 * MS
EVEN = [i * 5 * MS for i in range(12)]


def mend(raw: list[int | None], period_ns: int | None = None) -> tuple[list[int], list[int], Mended]:
    mender = Mender(period_ns)
    stamps = [mender.add(t, raw[i + 1] if i + 1 < len(raw) else None) for i, t in enumerate(raw)]
    return [s.t_ns for s in stamps], [s.stretch for s in stamps], mender.mended


@pytest.mark.parametrize(
    ("raw", "counted"),
    [
        (EVEN, {}),
        ([*EVEN[:5], 10 * HOUR, *EVEN[6:]], {"outliers": 1}),
        ([*EVEN[:5], 0, *EVEN[6:]], {"outliers": 1}),
        ([*EVEN[:5], EVEN[5] + 700 * MS, *EVEN[6:]], {"outliers": 1}),
        ([*EVEN[:-1], 10 * HOUR], {"outliers": 1}),
        ([*EVEN[:-1], None], {"missing": 1}),
        ([*EVEN[:-3], None, None, None], {"missing": 3}),
        ([t // (10 * MS) * 10 * MS for t in EVEN], {"repeated": 6}),
        ([t // (15 * MS) * 15 * MS for t in EVEN], {"repeated": 8}),
        ([0] * 12, {"repeated": 11}),
    ],
)
def test_a_stamp_that_cannot_be_true_is_set_from_those_around(
    raw: list[int | None], counted: dict[str, int]
) -> None:
    assert mend(raw, 5 * MS) == (EVEN, [0] * 12, Mended(**counted))


@pytest.mark.parametrize(("shift", "kind"), [(0, "rewinds"), (-3 * HOUR, "rewinds"), (10 * HOUR, "leaps")])
def test_a_clock_that_is_set_begins_a_new_stretch_and_times_go_on(shift: int, kind: str) -> None:
    times, stretches, mended = mend([*EVEN, *(t + shift for t in EVEN)])
    assert times == [i * 5 * MS for i in range(24)]
    assert stretches == [0] * 12 + [1] * 12
    assert mended == Mended(**{kind: 1})
    assert f"1 {kind[:-1]} of the clock" in mended.words()


def test_a_pause_keeps_its_length_and_begins_a_new_stretch() -> None:
    raw = [*EVEN, *(t + 5000 * MS for t in EVEN)]
    assert mend(raw) == (raw, [0] * 12 + [1] * 12, Mended(pauses=1))


def test_a_picture_every_100_s_is_a_rate_and_no_pause() -> None:
    raw = [t * 20_000 for t in EVEN]
    assert mend(raw) == (raw, [0] * 12, Mended())


@given(st.lists(st.none() | st.integers(-(10**15), 10**15), max_size=40), st.none() | st.integers(1, 10**9))
def test_times_rise_whatever_the_stamps(raw: list[int | None], period_ns: int | None) -> None:
    times, stretches, _ = mend(raw, period_ns)
    assert all(a < b for a, b in pairwise(times))
    assert stretches == sorted(stretches)


def test_stamps_nudge_what_does_not_advance_and_measure_the_rate() -> None:
    stamps = Stamps()
    assert (stamps.recent_fps, stamps.mean_fps, stamps.first_ns) == (0.0, 0.0, None)
    assert [stamps.add(t) for t in (5_000, 5_000, 4_000, 90_000)] == [5_000, 6_000, 7_000, 90_000]
    assert (stamps.nudged, stamps.first_ns) == (2, 5_000)
    rates = Stamps()
    for t in [i * 10_000_000 for i in range(200)] + [2_000_000_000 + i * 40_000_000 for i in range(100)]:
        rates.add(t)
    assert rates.recent_fps == pytest.approx(25)
    assert rates.mean_fps == pytest.approx(299 / 5.96)


def test_a_pause_between_stretches_is_no_part_of_the_rate() -> None:
    stamps = Stamps()
    for stretch in range(3):
        for i in range(10):
            stamps.add(stretch * 50_000 * MS + i * 5 * MS, stretch)
    assert stamps.mean_fps == pytest.approx(200)
    assert stamps.recent_fps == pytest.approx(200)

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mer_live.realtime.web.media.clock import SenderClock

MS = 1_000_000
FRAME = 33_333_333


def feed(clock: SenderClock, sent: list[int], delay: list[int], start: int = 10**12) -> list[int | None]:
    return [clock.add(s, start + s + d) for s, d in zip(sent, delay, strict=True)]


def test_jitter_leaves_the_intervals_alone() -> None:
    rng = np.random.default_rng(1)
    sent = [k * FRAME for k in range(400)]
    delay = [int(20 * MS + rng.exponential(8) * MS) for _ in sent]
    times = [t for t in feed(SenderClock(), sent, delay) if t is not None]
    assert np.abs(np.diff(times) - FRAME).max() < 0.021 * FRAME
    # Settled: capture plus the least delay, to a millisecond or so.
    assert abs(times[-1] - (10**12 + sent[-1] + 20 * MS)) < 2 * MS


def test_a_late_start_is_forgotten_while_the_clock_settles() -> None:
    sent = [k * FRAME for k in range(60)]
    delay = [300 * MS - min(k, 9) * 30 * MS for k in range(60)]  # a burst that is being worked off
    times = feed(SenderClock(), sent, delay)
    assert times[:9] == [None] * 9
    rest = [t for t in times if t is not None]
    assert set(np.diff(rest)) == {FRAME}
    assert rest[-1] == 10**12 + sent[-1] + 30 * MS


def test_frames_that_repeat_or_come_late_are_left_out() -> None:
    clock = SenderClock()
    feed(clock, [k * FRAME for k in range(20)], [0] * 20)
    assert clock.add(19 * FRAME, 2 * 10**12) is None
    assert clock.add(17 * FRAME, 2 * 10**12) is None
    assert clock.skipped == 2
    assert clock.add(20 * FRAME, 10**12 + 20 * FRAME) is not None


def test_another_zero_of_the_sender_begins_anew_without_going_back() -> None:
    clock = SenderClock()
    before = feed(clock, [k * FRAME for k in range(30)], [0] * 30)[-1]
    later = 10**12 + 31 * FRAME
    zero = -(10**6) * FRAME
    after = [clock.add(zero + k * FRAME, later + k * FRAME) for k in range(20)]
    assert clock.resyncs == 1
    assert before is not None
    assert all(t is None or t > before for t in after)
    assert after[-1] is not None


def test_a_drifting_clock_is_followed() -> None:
    sent = [k * FRAME for k in range(3000)]
    drift = [int(s * 200e-6) for s in sent]  # 200 ppm
    times = feed(SenderClock(), sent, drift)
    assert times[-1] is not None
    # The window's least delay is at most 10 s old: 2 ms behind.
    assert abs(times[-1] - (10**12 + sent[-1] + drift[-1])) < 3 * MS


@given(
    st.lists(
        st.tuples(st.integers(-3 * FRAME, 3 * FRAME), st.integers(0, 400 * MS)), min_size=12, max_size=80
    )
)
def test_times_strictly_increase_whatever_comes(steps: list[tuple[int, int]]) -> None:
    clock, sent, arrived, last = SenderClock(), 0, 10**12, -1
    for step, wait in steps:
        sent += step
        arrived += wait
        t = clock.add(sent, arrived)
        if t is not None:
            assert t > last
            last = t

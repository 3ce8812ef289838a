"""What a late frame is put down to; the kernel tells it on Linux alone."""

from __future__ import annotations

import sys
import time

import pytest

from mer_live.benchmarks.trace import SPENT, STAGES, Trace, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads are traced on Linux only")


def test_computing_is_told_from_sleeping() -> None:
    trace = Trace(2)
    trace.begin()
    before = trace.now()
    while trace.now()[1] - before[1] < 20e6:
        pass
    between = trace.now()
    time.sleep(0.05)
    trace.add(before, between, [int(between[0])] * 3)
    trace.add(between, trace.now())
    computing, _, asleep = (trace.rows[:, k] for k in range(len(SPENT)))
    assert computing[0] >= 20e6
    assert asleep[1] >= 45e6
    assert trace.rows[:, len(SPENT)].min() >= 0
    crop, *others = trace.rows[0, len(SPENT) + 1 :][: len(STAGES)]
    assert crop == between[0] - before[0]
    assert others == [0, 0, 0]


def test_a_run_puts_every_frame_down_to_something() -> None:
    result = run(seconds=2.0)
    assert 0 < (result.figure("one frame, p99").n or 0) <= 200
    spent = result.details["worker"]
    assert sum(values["usual"] for values in spent.values()) == pytest.approx(
        result.figure("one frame, p50").value, rel=0.5
    )
    assert result.details["stages"]["motion"]["usual"] > 0
    assert "landmarks" in result.details["cores"] or len(result.details["cores"]) > 2

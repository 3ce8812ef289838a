"""How long the lock is held is told on Linux alone."""

from __future__ import annotations

import sys
import time

import pytest
from support.some_bundles import some_bundles

from mer_live.benchmarks import lock
from mer_live.benchmarks.lock import Probe, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="waits for a core are told on Linux only")


def test_a_call_that_keeps_the_lock_is_seen() -> None:
    probe = Probe(60.0)
    probe.start()
    while not len(probe.waits):
        time.sleep(0.001)
    begun = time.thread_time_ns()
    sum(range(3_000_000))  # one call of C, without a look at who else wants the lock
    held = time.thread_time_ns() - begun
    time.sleep(0.01)
    probe.stop()
    assert probe.waits.max() > held / 2
    assert len(probe.asked) == len(probe.waits)


def test_a_short_run_tells_who_was_at_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BUNDLES", some_bundles())
    monkeypatch.setattr(lock, "_INTERVALS_MS", (0.5,))
    usual = sys.getswitchinterval()
    result = run(seconds=1.0)
    assert sys.getswitchinterval() == 0.0005
    sys.setswitchinterval(usual)
    assert (result.figure("switch interval 0.5 ms: lock held, p99").n or 0) > 50
    assert any(times.name.endswith("motion") for times in result.times)

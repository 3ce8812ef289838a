from __future__ import annotations

from pathlib import Path

import pytest

from mer_live.benchmarks.lab.readers import run as served
from mer_live.benchmarks.lab.record import run as recorded


@pytest.mark.slow
def test_a_recorded_camera_is_counted_and_replays_the_same(tmp_path: Path) -> None:
    result = recorded(2.0, ("crops@200",), tmp_path / "kept")
    lost = result.figure("crops, 200 fps: frames that the analysis dropped")
    assert lost.n == 400
    assert lost.value is not None
    again = result.figure("crops, 200 fps: lines that differ when analysed again")
    assert (again.value, again.met) == (0, True)
    assert again.n, "a busy machine may drop the events, but not the line of the start"
    kept = recorded(2.0, ("crops@200",), tmp_path / "kept", replay=False)
    assert kept.figures == result.figures[:-1], "what is there is not recorded again"
    with pytest.raises(RuntimeError, match="record-codec"):
        recorded(1.0, ("mjpeg@200",))
    with pytest.raises(ValueError, match="CODEC@FPS"):
        recorded(1.0, ("crops",))


def test_programs_that_never_read_cost_the_one_that_reads_nothing() -> None:
    result = served(seconds=40.0, speed=40.0)
    missed = result.figure("lines that the program that reads missed")
    assert (missed.value, missed.met) == (0, True)
    assert missed.n is not None
    assert missed.n > 20
    assert result.figure("a line handed over, p99").n == missed.n

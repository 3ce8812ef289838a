from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from mer_live.benchmarks.latency import _timed
from mer_live.benchmarks.report.page import ratio_interval, write_comparison, write_page
from mer_live.benchmarks.result import Figure, Result, Times


def made(scale: float = 1.0) -> Result:
    rng = np.random.default_rng(0)
    ns = (rng.normal(2e6, 2e5, 500) * scale).astype(int)
    result = Result("latency", {"quick": True})
    result.times = [Times.of("bare crop", ns, "bare kernels"), Times.of("frame", ns, "whole path")]
    result.figures = [
        Figure("whole path per frame", 2.2 * scale, "ms", 500),
        Figure("overhead_ratio", 1.1, "", 500, target=1.15),
        Figure("rate", 100.0, "fps", target=400.0, better="higher"),
        Figure("absent", None, "ms", note="no camera"),
    ]
    return result


def test_a_known_sleep_is_measured_within_ten_percent() -> None:
    # Durations of a sleep are at least the sleep; the shortest one is not stretched by a busy machine.
    taken = Times.of("sleep", _timed(lambda: time.sleep(0.02), 15))
    assert taken.curve[0] == pytest.approx(20.0, rel=0.1)


def test_quantiles_are_those_of_the_durations() -> None:
    times = Times.of("x", np.arange(1, 1001) * 1_000_000)
    assert (times.p50, times.n) == (pytest.approx(500.5), 1000)
    assert times.p99 == pytest.approx(990, abs=1)
    with pytest.raises(ValueError, match="no durations"):
        Times.of("x", [])


def test_a_figure_knows_whether_its_target_is_met() -> None:
    low, rate, absent = (made().figure(name).met for name in ("overhead_ratio", "rate", "absent"))
    assert (low, rate, absent) == (True, False, None)


def test_the_unit_is_timed_on_one_thread_and_grows_by_bursts() -> None:
    result, threads = made(), cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        result.time_kernel()
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(threads)
    bursts = result.machine["flow_bursts_ms"]
    assert len(bursts) == 10
    assert result.machine["flow_ms"] == pytest.approx(np.median(bursts), abs=1e-4)
    assert result.in_r(result.figure("whole path per frame")) == pytest.approx(
        2.2 / result.machine["flow_ms"]
    )


def test_a_result_survives_writing_and_reading(tmp_path: Path) -> None:
    result = made()
    result.write(tmp_path / "r.json")
    assert Result.read(tmp_path / "r.json").to_json() == result.to_json()
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ValueError, match="not a result"):
        Result.read(tmp_path / "bad.json")


def test_the_page_is_whole_and_names_every_figure(tmp_path: Path) -> None:
    page = write_page([made()], tmp_path).read_text()
    for name in ("overhead_ratio", "whole path per frame", "no camera", "data:image/png;base64"):
        assert name in page
    assert "http" not in page.replace("http-equiv", "")
    assert (tmp_path / "where-a-frames-time-goes.png").stat().st_size > 1000


def test_two_runs_are_compared_by_ratios_with_intervals(tmp_path: Path) -> None:
    low, high = ratio_interval(made().times[0], made(1.5).times[0])
    assert low < 1.5 < high
    assert high - low < 0.1
    text = write_comparison([made()], [made(1.5)], tmp_path).read_text()
    assert "1.500" in text

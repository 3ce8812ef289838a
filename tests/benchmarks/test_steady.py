from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.some_bundles import some_bundles

from mer_live.benchmarks import steady
from mer_live.benchmarks.report.plots import draw_one
from mer_live.benchmarks.slope import slope
from mer_live.benchmarks.steady import Gauge, judge

HOUR = np.arange(600, 3600, 5.0) / 3600


def memory(mb_h: float, seed: int) -> np.ndarray:
    """A process's hour, MB: what leaks, what comes and goes within a minute, and peaks that few samples see."""
    rng = np.random.default_rng(seed)
    wander = np.zeros(len(HOUR))
    for k, push in enumerate(rng.normal(0, 0.1, len(HOUR) - 1), 1):
        wander[k] = 0.92 * wander[k - 1] + push
    peaks = 20 * (rng.random(len(HOUR)) < 0.1)
    return 300 + mb_h * HOUR + wander + peaks


def test_a_leak_of_a_megabyte_an_hour_is_found_and_none_is_made_up() -> None:
    found = {mb_h: np.array([slope(HOUR, memory(mb_h, seed)) for seed in range(200)]) for mb_h in (0.0, 1.0)}
    for mb_h, (_, low, high) in ((mb_h, gains.T) for mb_h, gains in found.items()):
        assert ((low <= mb_h) & (mb_h <= high)).mean() > 0.9
    assert (found[1.0][:, 1] > 0).mean() > 0.9
    assert (found[0.0][:, 2] < 1).mean() > 0.9
    assert slope(HOUR[:7], HOUR[:7]) is None


def test_a_leak_a_handle_and_a_thread_are_short_of_their_aims() -> None:
    for mb_h, more, met in ((0.0, 0, True), (2.0, 1, False)):
        samples = [
            Gauge(
                3600 * t,
                mb + 7 * (t > 0.6),
                15 + 7 * (t > 0.6),
                9 + more * (t > 0.5),
                20 + more * (t > 0.9),
                3.0,
                0,
            )
            for t, mb in zip(HOUR, memory(mb_h, 5), strict=True)
        ]
        aims = {figure.name: figure.met for figure in judge(samples, 3600) if figure.target is not None}
        assert aims == dict.fromkeys(
            (
                "memory gained, the ring left out, at most",
                "handles, most less fewest",
                "threads, most less fewest",
            ),
            met,
        )


def test_a_short_run_is_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(steady, "BUNDLES", some_bundles())
    monkeypatch.setattr(steady, "_SAMPLE_S", 0.2)
    result = steady.run(2.0 / 60)
    lost = result.figure("frames lost")
    assert result.times[0].n + (lost.value or 0) == lost.n
    assert len(result.details["samples"]) >= 3
    draw_one(result, tmp_path / "steady.png")
    assert (tmp_path / "steady.png").read_bytes().startswith(b"\x89PNG")

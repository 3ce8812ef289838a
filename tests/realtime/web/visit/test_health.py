from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from mer_live.realtime.measured.stats import Counters
from mer_live.realtime.web.visit import health


def run_of(captured: int) -> Any:
    """What a message tells of, in a run that has taken so many frames."""
    return SimpleNamespace(
        source=SimpleNamespace(captured=captured, size=(64, 48), hint=""),
        counters=Counters(),
        dropped=0,
        lost_spots=0,
        picture="ok",
        input=SimpleNamespace(people={}),
        tracker=SimpleNamespace(finder=SimpleNamespace(rate_hz=0.0)),
    )


def test_the_rate_is_that_of_a_run_also_where_a_file_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    told, box = health.Health(), SimpleNamespace(dropped=0)
    first, second = run_of(200), run_of(5)
    rates = []
    for second_s, (run, captured) in enumerate([(first, 200), (first, 230), (second, 5), (second, 35)], 1):
        run.source.captured = captured
        monkeypatch.setattr(health, "now_ns", lambda s=second_s: s * 1_000_000_000)
        rates.append(json.loads(told.message(run, box))["received_fps"])  # type: ignore[arg-type]
    assert rates == [0, 30, 30, 30]

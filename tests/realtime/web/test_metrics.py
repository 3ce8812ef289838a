from __future__ import annotations

import re

from mer_live.realtime.types import Withdrawal
from mer_live.realtime.web.metrics import Histogram, Metrics, SessionFigures

LINE = re.compile(r'(# (HELP|TYPE) mer_\w+ .+|mer_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? -?[0-9.e+]+)')


def test_a_histogram_is_cumulative() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.add(value)
    assert list(histogram.lines("x")) == [
        'x_bucket{le="0.1"} 2',
        'x_bucket{le="1.0"} 3',
        'x_bucket{le="+Inf"} 4',
        "x_sum 7.650000",
        "x_count 4",
    ]


def test_every_line_is_prometheus_text_and_every_name_is_declared_once() -> None:
    metrics = Metrics(sessions_total=3)
    metrics.count_event(Withdrawal(1, 2, 0, "blink"))
    metrics.count_refusal("busy")
    metrics.count_end("stop")
    text = metrics.render([SessionFigures("own", 30.0, 29.5), SessionFigures("own", 60.0, 60.0)], 4)
    assert text.endswith("\n")
    for line in text.splitlines():
        assert LINE.fullmatch(line), line
    declared = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(declared) == len(set(declared))
    for line in (
        "mer_sessions 2",
        "mer_sessions_limit 4",
        "mer_sessions_total 3",
        'mer_events_total{kind="withdrawn"} 1',
        'mer_offers_refused_total{reason="busy"} 1',
        'mer_session_fps{session="1",mode="own"} 60.00',
        'mer_decision_delay_seconds_count{kind="final"} 0',
    ):
        assert line in text.splitlines()

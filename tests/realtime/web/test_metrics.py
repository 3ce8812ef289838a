from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from support.events import GONE

from mer_live.realtime.web.metrics import Metrics, SessionFigures


def test_what_is_counted_is_told_in_prometheus_text() -> None:
    metrics = Metrics()
    metrics.sessions_opened.inc(3)
    metrics.count_event(GONE)
    metrics.count_refusal('bu"sy\n')
    metrics.count_end("stop")
    metrics.render([SessionFigures("own", 30.0, 29.5)] * 3, 4)
    text = metrics.render([SessionFigures("own", 30.0, 29.5), SessionFigures("own", 60.0, 60.0)], 4).decode()
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert told["mer_sessions",] == 2
    assert told["mer_sessions_limit",] == 4
    assert told["mer_sessions_opened_total",] == 3
    assert told["mer_sessions_ended_total", "stop"] == 1
    assert told["mer_events_total", "withdrawn"] == 1
    assert told["mer_offers_refused_total", 'bu"sy\n'] == 1
    assert told["mer_session_fps", "own", "1"] == 60
    assert ("mer_session_fps", "own", "2") not in told  # it has ended
    assert told["mer_resident_bytes",] > 1e6

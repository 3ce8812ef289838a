from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.spotted import TRUTH, S, decision, recording, span

from mer_live.benchmarks.spotting.figures import figures
from mer_live.benchmarks.spotting.run import at_precision
from mer_live.benchmarks.spotting.summary import (
    cause_of,
    counts,
    false_alarms,
    place_of,
    prf,
    reliability,
    summarise,
)
from mer_live.training.spotter.match import Decision, Judgement, decide, overlap


def test_overlap_is_intersection_over_union() -> None:
    first = span(0.0, 5.0, 10.0)
    assert overlap(first, first) == 1
    assert overlap(first, span(5.0, 6.0, 15.0)) == pytest.approx(1 / 3)
    assert overlap(first, span(10.0, 15.0, 20.0)) == 0


def test_an_event_is_found_and_timed() -> None:
    result = decide(recording())
    assert result.pairs == [(0, 0)]
    s = summarise([result])
    assert s["iou"]["from_1.5_px"]["f1"] == 1.0
    assert s["apex_error_ms"]["p50"] < 20
    assert s["false_alarms_per_minute"]["settled"] == 0
    assert s["taken_for"]["blink"] == {"n": 1, "taken": 0, "part": 0.0}
    assert s["recall_by_px"]["1.5-2.5"] == {"n": 1, "recall": 1.0}


def test_misses_and_false_alarms_are_counted() -> None:
    rec = recording()
    result = Judgement(rec, [decision(1, 3.0, 3.1, 3.2), decision(2, 4.0, 4.1, 4.2)])
    s = summarise([result])
    assert counts([result], 1.5) == (0, 1, 2)
    assert s["taken_for"]["blink"]["taken"] == 1
    assert s["false_alarms_from"] == {"blink": 1, "other": 1}
    assert s["false_alarms_per_minute"]["final"] == pytest.approx(2 / (5 / 60))
    assert prf(0, 0, 0)["f1"] is None


def test_a_weak_event_that_is_found_is_no_false_alarm() -> None:
    weak = replace(TRUTH, intensity_px=0.7)
    result = decide(recording(truths=(weak,)))
    assert counts([result], 1.5) == (0, 0, 0)


def test_each_truth_is_used_once() -> None:
    result = Judgement(recording(), [decision(1, 2.0, 2.15, 2.4), decision(2, 2.02, 2.16, 2.38)])
    assert result.pairs == [(0, 0)]
    assert [d.id for d in result.answers["settled"].false] == [2]


def test_each_state_is_counted_for_itself() -> None:
    early = Decision(1, span(3.0, 3.1, None), 0.7, announced_ns=3 * S + S // 5, withdrawn="did not return")
    taken_back = decision(2, 4.0, 4.1, 4.2)
    taken_back.withdrawn = "speech"
    right = decision(3, 2.0, 2.15, 2.4)
    right.settled_ns = round(2.9 * S)
    result = Judgement(recording(), [early, taken_back, right])
    minute = 5 / 60
    assert false_alarms([result], "provisional") == pytest.approx(2 / minute)
    assert false_alarms([result], "final") == pytest.approx(1 / minute)
    assert false_alarms([result], "settled") == 0
    s = summarise([result])
    assert s["withdrawn_for"] == {"did not return": 1, "speech": 1}
    assert s["delay_ms"]["settled"]["p50"] == pytest.approx(500)
    assert counts([result], 1.5, "final") == (1, 0, 1)


def test_what_is_counted_while_a_face_speaks() -> None:
    spoken = replace(TRUTH, speaking=True, part="upper")
    rec = recording(truths=(spoken,))
    rec = replace(rec, mouth_px=np.where(rec.times_ns < 3.5 * S, 5.0, 0.1))
    result = Judgement(
        rec, [decision(1, 2.0, 2.15, 2.4), decision(2, 3.0, 3.1, 3.2), decision(3, 4.0, 4.1, 4.2)]
    )
    assert counts([result], 1.5, speaking=True) == (1, 0, 1)
    assert counts([result], 1.5, speaking=False) == (0, 0, 1)
    assert counts([result], 1.5, speaking=True, part="lower") == (0, 0, 1)
    assert cause_of(replace(rec, distractors=()), result.decisions[1]) == "speech"


def test_where_a_movement_was() -> None:
    assert place_of(recording(), decision(1, 2.0, 2.15, 2.4)) == "upper"


def test_recall_is_read_where_precision_suffices() -> None:
    spoken = replace(TRUTH, speaking=True)
    rec = recording(truths=(spoken,))
    rec = replace(rec, mouth_px=np.full(len(rec.times_ns), 5.0))
    right, wrong = decision(1, 2.0, 2.15, 2.4), decision(2, 4.0, 4.1, 4.2)
    found = at_precision(
        {0.5: [Judgement(rec, [])], 0.65: [Judgement(rec, [right])], 0.8: [Judgement(rec, [right, wrong])]}
    )
    assert found["sensitivity"] == 0.65
    assert found["all"]["recall"] == 1.0
    assert at_precision({0.8: [Judgement(rec, [right, wrong])]})["sensitivity"] is None


def test_reliability_counts_by_score() -> None:
    right, wrong = decision(1, 2.0, 2.15, 2.4), decision(2, 4.0, 4.1, 4.2)
    right.score = wrong.score = 0.7
    rows = {(r["from"], r["to"]): r for r in reliability([Judgement(recording(), [right, wrong])])}
    assert rows[0.6, 0.8]["n"] == 2
    assert rows[0.6, 0.8]["right"] == 0.5
    assert all(r["n"] == 0 for r in reliability([]))


def test_people_count_alike() -> None:
    def of(n: int, wrong: int) -> list[Judgement]:
        false = [decision(k, 4.0 + 0.01 * k, 4.1 + 0.01 * k, 4.2 + 0.01 * k) for k in range(wrong)]
        return [Judgement(recording(truths=()), false)] * n

    sets = {"talker a": summarise(of(9, 0)), "talker b": summarise(of(1, 1))}
    report = {"sets": sets, "reliability": [], "offline_apex": {}, "cut": at_precision({})}
    rows = {f.name: f for f in figures(report)}
    row = rows["settled false alarms a minute, talkers, mean over people"]
    assert row.value == pytest.approx(6.0)
    assert row.n == 2
    assert row.met is False

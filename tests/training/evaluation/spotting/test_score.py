"""The grand challenges' F1 and STRS against cases whose answer follows by arithmetic."""

from __future__ import annotations

import pytest

from mer_live.realtime.types import Kind
from mer_live.training.evaluation.spotting.score import Expression, Watched, frame_iou, right, score


def micro(first: int, last: int, label: int | None = None) -> Expression:
    return Expression(first, last, "micro", label)


def macro(first: int, last: int) -> Expression:
    return Expression(first, last, "macro")


def video(truths: list[Expression], found: list[Expression], key: str = "d/1/a", **more: object) -> Watched:
    return Watched(key, key.rpartition("/")[0], 60.0, tuple(truths), tuple(found), **more)  # type: ignore[arg-type]


def test_both_ends_belong_to_an_interval() -> None:
    assert frame_iou(micro(1, 10), micro(1, 10)) == 1.0
    assert frame_iou(micro(1, 10), micro(6, 10)) == 0.5
    assert frame_iou(micro(1, 10), micro(10, 19)) == pytest.approx(1 / 19)
    assert frame_iou(micro(1, 10), micro(11, 19)) == 0.0


def test_exactly_half_is_right_and_a_frame_less_is_not() -> None:
    assert right([micro(1, 10)], [micro(6, 10)]) == [(0, 0)]
    assert right([micro(1, 10)], [micro(7, 10)]) == []


def test_one_truth_is_found_once_and_by_the_better_detection() -> None:
    assert right([micro(1, 10)], [micro(1, 7), micro(1, 9)]) == [(0, 1)]
    assert len(right([micro(1, 10), micro(5, 14)], [micro(3, 12)])) == 1
    counted = score([video([micro(1, 10)], [micro(1, 7), micro(1, 9)])])["spotting"]["micro"]
    assert (counted["tp"], counted["fp"], counted["fn"]) == (1, 1, 0)
    assert counted["f1"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("kind", "tp"), [("micro", 1), ("macro", 0)])
def test_a_kind_answers_only_its_own(kind: Kind, tp: int) -> None:
    found = score([video([micro(1, 10)], [Expression(1, 10, kind)])])["spotting"]["all"]
    assert (found["tp"], found["fp"], found["fn"]) == (tp, 1 - tp, 1 - tp)


def test_counts_of_videos_are_added_before_f1() -> None:
    # 1 of 1 found, F1 1; 1 of 4 with 2 false ones, F1 2/7. Pooled: tp 2, n 5, found 4; the mean would be .64.
    good = video([micro(1, 10)], [micro(1, 10)])
    poor = video(
        [micro(1, 10), micro(101, 110), micro(201, 210), micro(301, 310)],
        [micro(1, 10), micro(50, 60), micro(150, 160)],
        "d/2/a",
    )
    counted = score([good, poor])["spotting"]["micro"]
    assert (counted["tp"], counted["fp"], counted["fn"]) == (2, 2, 3)
    assert counted["precision"] == 0.5
    assert counted["recall"] == 0.4
    assert counted["f1"] == pytest.approx(4 / 9)


def test_all_adds_micro_and_macro() -> None:
    # micro: tp 1, n 2, found 1 -> 2/3; macro: tp 1, n 1, found 2 -> 2/3; all: tp 2, n 3, found 3 -> 2/3.
    one = video(
        [micro(1, 10), micro(31, 40), macro(101, 160)], [micro(2, 10), macro(101, 150), macro(300, 400)]
    )
    found = score([one])["spotting"]
    assert [found[k]["f1"] for k in ("micro", "macro", "all")] == pytest.approx([2 / 3, 2 / 3, 2 / 3])
    assert [found["all"][k] for k in ("n", "tp", "fp", "fn")] == [3, 2, 1, 1]


def test_without_a_macro_detection_macro_says_nothing_and_all_counts_them_as_missed() -> None:
    result = score([video([micro(1, 10), macro(101, 160)], [micro(1, 10), micro(120, 130)])])
    assert result["spotting"]["macro"] is None
    looked = score([video([macro(101, 160)], [])], macro=True)["spotting"]
    assert (looked["macro"]["fn"], looked["macro"]["f1"]) == (1, 0.0)
    assert result["spotting"]["all"]["f1"] == 0.5  # tp 1, n 2, found 2
    assert result["false_alarms_per_minute"] == 1.0
    assert result["false_alarms_on_macro"] == 1


def test_strs_is_the_product_of_both_f1() -> None:
    # Found 4 of 5 with 1 false one: F1 .8. Of the four, true 0 0 1 2, said 0 1 1 2:
    # precision 1, 1/2, 1 -> 5/6; recall 1/2, 1, 1 -> 5/6; F1 5/6. STRS 2/3. UF1 is another: 2/3, 2/3, 1 -> 7/9.
    truths = [micro(100 * k + 1, 100 * k + 10, label) for k, label in enumerate((0, 0, 1, 2, 2))]
    found = [micro(100 * k + 1, 100 * k + 10, label) for k, label in enumerate((0, 1, 1, 2))]
    result = score([video(truths, [*found, micro(901, 910, 0)])])
    assert result["spotting"]["micro"]["f1"] == pytest.approx(0.8)
    assert result["recognition"]["n"] == 4
    assert result["recognition"]["f1"] == pytest.approx(5 / 6)
    assert result["recognition"]["uf1"] == pytest.approx(7 / 9)
    assert result["strs"] == pytest.approx(2 / 3)


def test_a_class_that_nobody_knows_is_not_judged() -> None:
    result = score([video([micro(1, 10), micro(31, 40, 1)], [micro(1, 10, 2), micro(31, 40, 1)])])
    assert result["recognition"]["n"] == 1
    assert result["strs"] == 1.0
    five = score([video([micro(1, 10, 4)], [micro(1, 10, 4)])], classes=("a", "b", "c", "d", "e"))
    assert five["recognition"]["per_class"]["e"]["f1"] == 1.0
    unnamed = score([video([micro(1, 10)], [micro(1, 10, 2)])])
    assert unnamed["recognition"] is None
    assert unnamed["strs"] is None


def test_nothing_to_find_and_nothing_found_is_defined() -> None:
    nothing = score([video([], [])])
    assert nothing["spotting"]["micro"]["f1"] is None
    assert nothing["false_alarms_per_minute"] == 0.0
    assert score([video([micro(1, 9)], [])])["spotting"]["micro"]["f1"] == 0.0


def test_delays_of_all_videos_stand_together() -> None:
    a = video([], [], delays_ms={"final": (100.0,), "provisional": ()})
    b = video([], [], "d/2/b", delays_ms={"final": (300.0, 200.0)})
    assert score([a, b])["delay_ms"]["final"] == {"n": 3, "p50": 200.0, "p90": 280.0, "p95": 290.0}
    assert score([a, b])["delay_ms"]["settled"]["n"] == 0

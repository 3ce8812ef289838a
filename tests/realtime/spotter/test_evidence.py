from __future__ import annotations

import numpy as np
import pytest

from mer_live.realtime.motion.regions import MIRROR, region
from mer_live.realtime.spotter.context import AROUND
from mer_live.realtime.spotter.evidence import EVIDENCE, evidence, lower_in_speech
from mer_live.realtime.spotter.matched import FEATURES, ROWS
from mer_live.realtime.spotter.pattern import PATTERN, pattern
from mer_live.realtime.spotter.pulses import raised_cosine
from mer_live.realtime.spotter.signals import History

MOUTH = {"mouth_share": 0.5, "jaw_share": 0.3, "brow_share": 0.02, "eye_share": 0.02}
BROW = {"mouth_share": 0.05, "jaw_share": 0.05, "brow_share": 0.4, "eye_share": 0.2}
MS = 1_000_000
SPAN = (800 * MS, 900 * MS, 1100 * MS)


def moved(values: dict[str, tuple[float, float]], mirror: bool = False) -> dict[str, float]:
    """What `pattern` makes of a face whose regions go (right, down) px and come back within SPAN, then talk on."""
    history = History(ROWS)
    shape = np.zeros((ROWS, 2))
    for name, px in values.items():
        shape[region(name)] = px
    if mirror:
        shape[: len(MIRROR)] = shape[list(MIRROR)] * [-1.0, 1.0]
    onset, apex, offset = (t * 1e-9 for t in SPAN)
    for k in range(60):
        t = 0.02 * k
        rows = float(raised_cosine(np.array(-t), -onset, -apex, -offset)) * shape
        rows[region("chin"), 1] += 2.0 * np.sin(20.0 * t)
        history.add(round(t * 1e9), rows, k, round(t * 1e9))
    return dict(zip(PATTERN, pattern(history, SPAN).tolist(), strict=True))


def seen(**known: float) -> np.ndarray:
    silent = dict.fromkeys(("speaking_before", "speaking_during", "speaking_after"), -4.0)
    at = dict.fromkeys((*FEATURES, *AROUND, *PATTERN), 0.0) | silent | known
    parts = (np.array([at[name] for name in names]) for names in (FEATURES, AROUND, PATTERN))
    return evidence(*parts)


def test_names_and_numbers_go_together() -> None:
    told = dict(zip(EVIDENCE, seen(**BROW, jaw_before=-2.0, jaw_follows=7.0).tolist(), strict=True))
    assert told["upper_part"] > 0.9
    assert told["jaw_before_of_upper"] == pytest.approx(-2.0 * told["upper_part"])
    assert told["jaw_follows"] == 7.0


def test_a_mouth_that_speaks_costs_and_a_brow_does_not() -> None:
    assert lower_in_speech(seen(**MOUTH, speaking_during=3.0), later=False) > 0.9
    assert lower_in_speech(seen(**BROW, speaking_during=3.0), later=False) < 0.05
    assert lower_in_speech(seen(**MOUTH, brow_follows=2.5, speaking_during=3.0), later=False) < 0.05
    assert lower_in_speech(seen(**MOUTH), later=True) < 0.05


def test_a_first_syllable_is_known_by_what_follows() -> None:
    first = seen(**MOUTH, speaking_after=3.0)
    assert lower_in_speech(first, later=False) < 0.05
    assert lower_in_speech(first, later=True) > 0.9


def test_a_pattern_says_which_way_parts_go_and_which_follow_the_movement() -> None:
    up = moved({"brow": (0.0, -2.0)})
    assert up["brow_inner_down"] < -0.4
    assert up["brow_inner_uneven"] == pytest.approx(0.0, abs=1e-6)
    assert up["brow_follows"] > 2.0
    assert up["jaw_follows"] < up["brow_follows"] - 2.0  # the chin goes its own way
    assert moved({"brow": (0.0, 2.0)})["brow_inner_down"] > 0.4


def test_a_pattern_does_not_know_left_from_right() -> None:
    one_sided = {"mouth_left": (1.5, -1.0), "cheek_left": (0.2, -0.5)}
    assert moved(one_sided) == pytest.approx(moved(one_sided, mirror=True), abs=1e-9)
    assert moved(one_sided)["mouth_uneven"] > 0.2
    assert moved(one_sided)["mouth_out"] > 0.4

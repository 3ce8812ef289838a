from __future__ import annotations

import numpy as np
import pytest

from mer_live.realtime.spotter.context import AROUND
from mer_live.realtime.spotter.evidence import EVIDENCE, evidence, lids_alone, lower_in_speech
from mer_live.realtime.spotter.matched import FEATURES


def seen(**known: float) -> np.ndarray:
    silent = dict.fromkeys(("speaking_before", "speaking_during", "speaking_after"), -4.0)
    at = dict.fromkeys((*FEATURES, *AROUND), 0.0) | silent | known
    features = np.array([at[name] for name in FEATURES])
    return evidence(features, np.array([at[name] for name in AROUND]))


MOUTH = {"mouth_share": 0.5, "jaw_share": 0.3, "brow_share": 0.02, "eye_share": 0.02}
BROW = {"mouth_share": 0.05, "jaw_share": 0.05, "brow_share": 0.4, "eye_share": 0.2}


def test_names_and_numbers_go_together() -> None:
    made = seen(**BROW, jaw_before=-2.0)
    at = dict(zip(EVIDENCE, made.tolist(), strict=True))
    assert at["upper_part"] > 0.9
    assert at["jaw_before_of_upper"] == pytest.approx(-2.0 * at["upper_part"])


def test_a_mouth_that_speaks_costs_and_a_brow_does_not() -> None:
    assert lower_in_speech(seen(**MOUTH, speaking_during=3.0), later=False) > 0.9
    assert lower_in_speech(seen(**BROW, speaking_during=3.0), later=False) < 0.05
    assert lower_in_speech(seen(**MOUTH), later=True) < 0.05


def test_a_first_syllable_is_known_by_what_follows() -> None:
    first = seen(**MOUTH, speaking_after=3.0)
    assert lower_in_speech(first, later=False) < 0.05
    assert lower_in_speech(first, later=True) > 0.9


def test_lids_that_close_without_a_brow_cost() -> None:
    assert lids_alone(seen(brow_share=0.02, eye_share=0.38, lid_during=6.0)) > 0.9
    assert lids_alone(seen(brow_share=0.25, eye_share=0.25, lid_during=6.0)) < 0.05
    assert lids_alone(seen(brow_share=0.02, eye_share=0.38, lid_during=3.0)) < 0.05

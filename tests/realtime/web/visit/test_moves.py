from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.path import Step
from mer_live.realtime.types import FaceCrop, Moment, Motion, Span
from mer_live.realtime.web.visit.bumps import Bumps, CurveBump, CurveLook
from mer_live.realtime.web.visit.moves import MoveTrail

MS = 1_000_000
BEGIN = 10**12
SCALE = 0.5
"""Crop px for one px of the frame."""


def step(number: int, regions: NDArray[np.float32], lids: float = 1.0, head: float = 0.0) -> Step:
    texture = np.ones(len(REGIONS), np.float32)
    texture[region("lid")] = lids
    warp = np.array([[SCALE, 0, -40], [0, SCALE, -30]], np.float32)
    crop = FaceCrop(number, 0, np.zeros((224, 224), np.uint8), warp, None, 1)
    head_motion = np.array([head, 0, 0, 0], np.float32)
    return Step(crop, Motion(number, number * 20 * MS, 1, regions, regions, texture, head_motion, None))


def lifted(px: float) -> NDArray[np.float32]:
    """The brows ``px`` crop px up."""
    regions = np.zeros((len(REGIONS), 2), np.float32)
    regions[region("brow"), 1] = -px
    return regions


def span(onset_ms: int, apex_ms: int) -> Span:
    return Span(Moment(0, onset_ms * MS), Moment(0, apex_ms * MS), None)


def test_the_ways_are_those_from_onset_to_apex_in_px_of_the_frame() -> None:
    trail = MoveTrail()
    for k in range(60):
        px = max(0.0, 1.0 - abs(k - 30) / 10)
        trail.add(BEGIN + k * 20 * MS, [step(k, lifted(px))])
    moves = {move["region"]: move for move in trail.moves(span(400, 600))}
    assert set(moves) == set(REGIONS)
    for name, move in moves.items():
        wanted = 1.0 / SCALE if name.startswith("brow") else 0.0
        assert move["px"] == pytest.approx(wanted, abs=0.01)
        assert move["dy"] == pytest.approx(-wanted, abs=0.01)
    assert moves["brow_inner_right"]["x"] < moves["brow_inner_left"]["x"]  # the subject's right
    assert moves["brow_inner_right"]["y"] < moves["chin"]["y"]
    assert 80 < moves["chin"]["x"] < 80 + 224 / SCALE


def test_what_is_no_longer_known_is_not_made_up() -> None:
    trail = MoveTrail()
    assert trail.moves(span(0, 100)) == []
    for k in range(3000):
        trail.add(BEGIN + k * 5 * MS, [step(k, lifted(0.0))])
    assert trail.moves(span(100, 200)) == []
    assert trail.moves(span(14_000, 14_100))


def test_a_look_tells_of_lids_and_head_since_the_last() -> None:
    trail = MoveTrail()
    trail.add(BEGIN, [step(0, lifted(0))])
    trail.add(BEGIN + 20 * MS, [step(1, lifted(0), lids=30.0, head=1.0)])
    lids, head_px_s = trail.take_look()
    assert (lids, round(head_px_s)) == (30.0, 50)
    assert trail.take_look() == (0.0, 0.0)


@pytest.mark.parametrize(
    ("length_s", "lids", "head", "speaking", "why"),
    [
        (0.3, 40.0, 0.0, False, "blink"),
        (0.3, 1.0, 0.0, True, "speech"),
        (0.3, 1.0, 60.0, False, "head"),
        (1.5, 1.0, 0.0, False, "long"),
        (0.3, 1.0, 0.0, False, "small"),
    ],
)
def test_why_a_large_bump_was_no_event(
    length_s: float, lids: float, head: float, speaking: bool, why: str
) -> None:
    def play(bumps: Bumps, height: float) -> list[CurveBump]:
        found: list[CurveBump] = []
        for k in range(100):
            t_s = k * 0.05
            up = 1.0 <= t_s < 1.0 + length_s
            look = CurveLook(
                t_s, height if up else 1.0, lids if up else 1.0, head if up else 0.0, up and speaking
            )
            found += bumps.add(look)
        return found

    assert [bump.why for bump in play(Bumps(), 9.0)] == [why]
    assert play(Bumps(), 4.0) == []  # it hardly stood out
    told = Bumps()
    told.event(1.05, 1.25)
    assert play(told, 9.0) == []

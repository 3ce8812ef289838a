from __future__ import annotations

import numpy as np
import pytest

from mer_live.realtime.lasting import Lasting
from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.types import Motion, Span

R = len(REGIONS)
FPS = 50.0


def told(
    rise: float,
    hold: float,
    fall: float,
    part: str = "mouth",
    px: float = 4.0,
    speaking: float = 0.0,
    begins_s: float = 1.0,
) -> list[Span]:
    """What is told of one movement, with noise of a tenth of a pixel."""
    rng = np.random.default_rng(0)
    lasting, found = Lasting(), list[Span]()
    for k in range(round((rise + hold + fall + 3) * FPS)):
        t = k / FPS - begins_s
        up = np.clip(min(t / rise, (rise + hold + fall - t) / fall), 0, 1)
        regions = rng.normal(0, 0.1, (R, 2))
        regions[region(part), 1] -= px * (0.5 - 0.5 * np.cos(np.pi * up))
        still = np.zeros((R, 2), np.float32)
        motion = Motion(
            k,
            round(k * 1e9 / FPS),
            1,
            regions.astype(np.float32),
            still,
            still[:, 0],
            np.zeros(4, np.float32),
            None,
        )
        span = lasting.update(motion, speaking)
        found += [] if span is None else [span]
    return found


def test_a_smile_that_stays_is_told_once_when_it_has_ended() -> None:
    (span,) = told(0.5, 1.0, 0.6)
    assert span.offset is not None
    assert span.onset.t_ns / 1e9 == pytest.approx(1.0, abs=0.25)
    assert 1.4e9 < span.apex.t_ns < 2.6e9
    assert span.offset.t_ns / 1e9 == pytest.approx(3.1, abs=0.35)
    assert span.offset.frame == round(span.offset.t_ns * FPS / 1e9)


@pytest.mark.parametrize(
    "movement",
    [
        {"rise": 0.1, "hold": 0.0, "fall": 0.15},  # the spotter's
        {"rise": 0.5, "hold": 6.0, "fall": 0.5},  # how the face is now
        {"rise": 0.5, "hold": 1.0, "fall": 0.6, "part": "lid"},
        {"rise": 0.5, "hold": 1.0, "fall": 0.6, "px": 0.8},
        {"rise": 0.5, "hold": 1.0, "fall": 0.6, "speaking": 0.9},
        {"rise": 0.5, "hold": 1.0, "fall": 0.6, "begins_s": 0.1},
    ],
)
def test_what_is_no_macro_expression(movement: dict[str, float | str]) -> None:
    assert told(**movement) == []  # type: ignore[arg-type]


def test_a_face_that_goes_and_comes_begins_anew() -> None:
    lasting = Lasting()
    for k in range(40):
        regions = np.full((R, 2), 9.0 if k > 20 else 0.0, np.float32)
        motion = Motion(
            k, round(k * 1e9 / FPS), 1, regions, regions, regions[:, 0], np.zeros(4, np.float32), None
        )
        assert lasting.update(None if k == 20 else motion, 0.0) is None

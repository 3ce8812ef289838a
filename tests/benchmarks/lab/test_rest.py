from __future__ import annotations

import numpy as np
import pytest

from mer_live.benchmarks.lab.rest import learned
from mer_live.realtime.motion.regions import REGIONS
from mer_live.realtime.types import Motion
from mer_live.training.spotter.recordings import Recording

FPS, NOISE_PX = 25, 0.05


def talking(seconds: float) -> Recording:
    """A face that trembles, and moves by far more wherever it speaks: every second second."""
    rng = np.random.default_rng(5)
    count = round(seconds * FPS)
    speaks = np.arange(count) // FPS % 2 == 1
    motions = []
    for k in range(count):
        regions = rng.normal(0, 2.0 if speaks[k] else NOISE_PX, (len(REGIONS), 2)).astype(np.float32)
        texture = np.ones(len(REGIONS), np.float32)
        motions.append(Motion(k, k * 40_000_000, 1, regions, regions, texture, np.zeros(4, np.float32), None))
    times = np.arange(count) * 40_000_000
    mouth = np.where(speaks, 5.0, 0.3)
    return Recording("clip", "natural", FPS, times, tuple(motions), (), (), np.zeros(0), 0.0, mouth_px=mouth)


def test_only_what_a_silent_face_does_is_rest() -> None:
    found = learned([talking(12.0)])
    assert found is not None
    assert found.seconds == pytest.approx(6.0, abs=0.1)
    assert found.noise_px["chin"] == pytest.approx(NOISE_PX * 2, rel=0.2), "nothing across what was left out"
    assert learned([talking(3.0)]) is None, "too short"

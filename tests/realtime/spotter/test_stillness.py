from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.spotter.spotter import Judged, Spotter, SpotterConfig
from mer_live.realtime.types import Motion, Spot

S = 1_000_000_000


def held(values: np.ndarray, fps: float = 30.0) -> list[Motion]:
    """(T, R, 2) displacements as motion, with no texture at all, as where no pixel changes."""
    nothing = np.zeros(len(REGIONS), np.float32)
    return [
        Motion(
            index=k,
            t_ns=round(k * S / fps),
            anchor=1,
            regions=row.astype(np.float32),
            speed=np.zeros((len(REGIONS), 2), np.float32),
            texture=nothing,
            head=np.zeros(4, np.float32),
            adm=np.zeros(128, np.float32),
        )
        for k, row in enumerate(values)
    ]


def watched(motions: list[Motion], sensitivity: float = 1.0) -> tuple[list[Spot], list[Judged]]:
    told: list[Judged] = []
    spotter = Spotter(SpotterConfig(sensitivity=sensitivity), told.append)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a division by zero is one
        return [spot for m in motions for spot in spotter.update(m, m.t_ns)], told


def test_a_picture_that_stands_still_gives_nothing_and_no_nan() -> None:
    spots, told = watched(held(np.zeros((180, len(REGIONS), 2))))
    assert not spots
    assert not told


def test_what_an_encoder_leaves_of_a_motionless_face_gives_nothing() -> None:
    """Between key frames hundredths of a pixel, some of them shaped like a movement."""
    rng = np.random.default_rng(0)
    t = np.arange(0, 20, 1 / 30)
    values = np.zeros((len(t), len(REGIONS), 2))
    for start in np.arange(1.0, 19.0, 0.7):
        pulse = np.exp(-(((t - start) / 0.08) ** 2))[:, None]
        values[:, region("brow"), 1] -= 0.04 * rng.random() * pulse
    spots, _ = watched(held(values))
    assert not spots


def test_the_least_that_counts_is_the_users_to_choose() -> None:
    with pytest.raises(ValueError, match="smallest_px"):
        SpotterConfig(smallest_px=6.0)


def test_motion_that_is_no_number_is_refused() -> None:
    motions = held(np.zeros((3, len(REGIONS), 2)))
    bad = replace(motions[2], regions=np.full((len(REGIONS), 2), np.nan, np.float32))
    spotter = Spotter()
    spotter.update(motions[0], motions[0].t_ns)
    with pytest.raises(ValueError, match="frame 2"):
        spotter.update(bad, bad.t_ns)


def test_a_camera_that_hands_pictures_over_twice_is_read_as_one_of_half_the_rate() -> None:
    t = np.arange(0, 4, 1 / 25)
    values = np.random.default_rng(0).normal(0, 0.05, (len(t), len(REGIONS), 2))
    rise, fall = np.clip((t - 2.0) / 0.15, 0, 1), np.clip((t - 2.15) / 0.25, 0, 1)
    pulse = 0.25 * (1 - np.cos(np.pi * rise)) * (1 + np.cos(np.pi * fall))
    values[:, region("brow"), 1] -= 2.0 * pulse[:, None]
    once = held(values, 25)
    twice = [x for m in once for x in (m, replace(m, t_ns=m.t_ns + S // 50, repeated=True))]
    found, again = (watched(motions, 0.5)[0] for motions in (once, twice))
    assert "offset" in [s.phase for s in found]
    assert found == again

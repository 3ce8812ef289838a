from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import pytest

from mer_live.realtime.motion.meter import MotionMeter
from mer_live.realtime.motion.picture import Picture
from mer_live.realtime.types import FaceCrop, Motion

S = 1_000_000_000
WARP = np.eye(2, 3, dtype=np.float32)


def skin(seed: int = 0, size: int = 112) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(128 + 300 * cv2.GaussianBlur(rng.normal(0, 1, (size, size)), (0, 0), 4), np.float64)


def noisy(n: int, noise: float = 1.0, seed: int = 1) -> list[np.ndarray]:
    rng, still = np.random.default_rng(seed), skin()
    return [np.clip(still + rng.normal(0, noise, still.shape), 0, 255).astype(np.uint8) for _ in range(n)]


def refreshed(n: int, every: int, noise: float, between: float) -> list[np.ndarray]:
    """What an encoder makes of noise: a new picture at each key frame, little change between them."""
    fresh, small = noisy(n, noise), np.random.default_rng(2)
    return [
        np.clip(fresh[k - k % every] + small.normal(0, between, (112, 112)), 0, 255).astype(np.uint8)
        for k in range(n)
    ]


def states(pictures: Sequence[np.ndarray], fps: float) -> list[str]:
    watch, last, found = Picture(), pictures[0], []
    for k, picture in enumerate(pictures[1:], 1):
        if not watch.add(round(k * S / fps), last, picture):
            last = picture
        found.append(watch.state)
    return found


@pytest.mark.parametrize("fps", [25, 60, 200])
def test_noise_is_an_ordinary_picture(fps: float) -> None:
    assert set(states(noisy(100), fps)) == {"ok"}


def test_a_stopped_camera_stands() -> None:
    found = states([*noisy(50), *noisy(1) * 100], 50)
    assert found[40] == "ok"
    assert set(found[90:]) == {"standing"}
    assert set(states([*noisy(1) * 100, *noisy(60, seed=3)], 50)[-20:]) == {"ok"}, "and is over when it moves"


@pytest.mark.parametrize("times", [2, 3])
def test_pictures_that_come_several_times_are_told(times: int) -> None:
    found = states([p for p in noisy(60) for _ in range(times)], 25 * times)
    assert set(found[len(found) // 2 :]) == {"repeated"}


@pytest.mark.parametrize(("every", "between"), [(12, 0.3), (12, 0.0), (50, 0.0), (50, 0.5)])
def test_key_frames_are_told_by_their_rhythm(every: int, between: float) -> None:
    found = states(refreshed(300, every, 2.0, between), 25)
    assert set(found[3 * every + 1 :]) == {"pulsing"}


def test_a_refresh_that_b_frames_stretch_is_told_where_the_picture_stands_between() -> None:
    fresh = noisy(100, 2.0)
    pictures = [fresh[k if k % 12 >= 8 else max(0, k - k % 12 - 1)] for k in range(100)]
    assert set(states(pictures, 25)[3 * 12 :]) == {"pulsing"}
    assert {20, 21, 22, 23, 32, 33, 34, 35} <= {m.index for m in measured(pictures, 25) if m.repeated}


def test_a_face_that_moves_after_a_stand_is_measured_soon() -> None:
    pictures, still = noisy(1) * 40, skin(size=160)
    for k in range(30):
        shift = np.array([[1, 0, 1.5 * k - 20], [0, 1, -20.0]])
        pictures.append(cv2.warpAffine(still, shift, (112, 112)).astype(np.uint8))
    assert sum(m.repeated for m in measured(pictures, 25)[40:]) == 0, (
        "the first change of its kind is measured"
    )


def test_a_face_that_moves_after_known_refreshes_is_held_for_six_frames_at_most() -> None:
    fresh, still = noisy(60, 2.0), skin(size=160)
    pictures = [fresh[k if k % 12 >= 8 else max(0, k - k % 12 - 1)] for k in range(60)]
    pictures += [pictures[-1]] * 8
    for k in range(30):
        shift = np.array([[1, 0, 1.5 * k - 20], [0, 1, -20.0]])
        pictures.append(cv2.warpAffine(still, shift, (112, 112)).astype(np.uint8))
    assert 1 <= sum(m.repeated for m in measured(pictures, 25)[68:]) <= 6


def test_a_head_that_moves_is_no_key_frame() -> None:
    still = skin(size=160)
    shifts = [5 * np.sin(2 * np.pi * k / 50) for k in range(300)]
    moved = [
        cv2.warpAffine(still, np.array([[1, 0, s - 20], [0, 1, -20.0]]), (112, 112)).astype(np.uint8)
        for s in shifts
    ]
    assert set(states(moved, 50)) == {"ok"}


def measured(pictures: Sequence[np.ndarray], fps: float) -> list[Motion]:
    meter = MotionMeter(112)
    return [meter.update(FaceCrop(k, round(k * S / fps), p, WARP, None, 1)) for k, p in enumerate(pictures)]


def test_a_picture_twice_is_measured_once() -> None:
    once = measured(noisy(10), 25)
    twice = measured([p for p in noisy(10) for _ in range(2)], 50)
    assert [m.repeated for m in twice[2:]] == [False, True] * 9
    for a, b in zip(once, twice[::2], strict=True):
        assert np.array_equal(a.regions, b.regions)
    for a, b in pairwise(twice):
        if b.repeated:
            assert np.array_equal(a.regions, b.regions)
            assert not b.speed.any()
            assert b.index == a.index + 1


def test_key_frames_after_the_first_bring_no_news() -> None:
    pictures = refreshed(100, 20, 3.0, 0.2)
    assert [m.index for m in measured(pictures, 25) if m.repeated] == [40, 60, 80]


def test_a_key_frame_that_is_refined_by_the_next_picture_brings_no_news_either() -> None:
    """VP8 at 250 kbit/s: 3 gray levels at the key frame, .27 with the picture after it, then .05."""
    pictures, drawn = refreshed(100, 20, 3.0, 0.0), np.random.default_rng(4).random((112, 112))
    for k, picture in enumerate(pictures):
        picture += (drawn < 0.05 if k % 2 else False) & (picture < 255)
        picture += ((drawn > 0.78) & (picture < 255)) if k > 20 and k % 20 else False
    assert [m.index for m in measured(pictures, 25) if m.repeated] == [40, 60, 80]


def test_a_face_that_starts_to_move_is_held_for_two_frames_at_most() -> None:
    pictures, still = refreshed(60, 20, 3.0, 0.2), skin(size=160)
    for k in range(45):
        shift = np.array([[1, 0, 1.5 * k - 20], [0, 1, -20.0]])
        pictures.append(cv2.warpAffine(still, shift, (112, 112)).astype(np.uint8))
    assert sum(m.repeated for m in measured(pictures, 25)[60:]) <= 2


def test_a_measurement_that_is_no_number_is_counted_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    meter, pictures = MotionMeter(112), noisy(6)
    crops = [FaceCrop(k, round(k * S / 25), p, WARP, None, 1) for k, p in enumerate(pictures)]
    before = [meter.update(c) for c in crops[:3]][-1]
    real = cv2.calcOpticalFlowPyrLK

    def broken(*args: object, **kwargs: object) -> object:
        found, status, error = real(*args, **kwargs)  # type: ignore[call-overload]
        return found, status, np.full_like(error, np.nan)

    monkeypatch.setattr(cv2, "calcOpticalFlowPyrLK", broken)
    bad = meter.update(crops[3])
    assert meter.unusable == 1
    assert np.array_equal(bad.regions, before.regions)
    monkeypatch.setattr(cv2, "calcOpticalFlowPyrLK", real)
    assert all(meter.update(c).finite for c in crops[4:])

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mer_live.training.prepare.apex_search import distances, divide_and_conquer, find_apex, lbp, regions_of


def clip(apex: int = 12, frames: int = 30, seed: int = 0) -> np.ndarray:
    """A textured square whose mouth is pulled down and lets go again."""
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.normal(0, 1, (224, 224)), (0, 0), 2)
    image = np.clip(128 + 90 * image / image.std() / 2, 0, 255).astype(np.float32)
    y, x = np.mgrid[:224, :224].astype(np.float32)
    bump = np.exp(-((x - 111) ** 2 + (y - 160) ** 2) / 2 / 18**2)
    t = np.arange(frames)
    level = np.where(t <= apex, t / apex, 1 - (t - apex) / (frames - apex))
    made = [cv2.remap(image, x, y - 5 * a * bump, cv2.INTER_LINEAR) for a in level.astype(np.float32)]
    return np.clip(made, 0, 255).astype(np.uint8)


def test_the_largest_change_is_the_apex() -> None:
    assert abs(find_apex(clip()) - 12) <= 3
    assert 0 < find_apex(clip(), search="divide") < 30


def test_distance_of_the_first_frame_is_zero() -> None:
    d = distances(clip())
    assert d[0] == pytest.approx(0, abs=1e-12)
    assert (d >= -1e-12).all()
    assert d.max() <= 1


def test_lbp_ignores_brightness_and_agrees_with_the_definition() -> None:
    gray = np.random.default_rng(0).integers(0, 200, (12, 14)).astype(np.uint8)
    assert (lbp(gray) == lbp(gray + 40)).all()
    flat = np.full((5, 5), 7, np.uint8)
    assert (lbp(flat) == lbp(flat)[0, 0]).all()
    assert lbp(gray).max() <= 58


def test_divide_and_conquer_prefers_the_half_with_more_peaks() -> None:
    d = np.zeros(32)
    d[3] = 1.0
    d[[20, 22, 24]] = 0.6, 0.8, 0.7
    assert divide_and_conquer(d) == 22
    assert divide_and_conquer(np.zeros(1)) == 0


def test_regions_lie_in_the_crop() -> None:
    for rows, columns in regions_of(None, 224):
        assert 0 <= rows.start < rows.stop <= 224
        assert 0 <= columns.start < columns.stop <= 224


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        distances(np.zeros((3, 8, 8), np.float32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="search"):
        find_apex(clip(frames=3, apex=1), search="binary")  # type: ignore[arg-type]

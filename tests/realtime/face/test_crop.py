from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.face_meshes import mesh
from support.moving_crops import crop_gray

from mer_live.realtime.face.crop import (
    CHIN,
    FOREHEAD,
    LEFT_EAR,
    RIGHT_EAR,
    Cropper,
    crop_warp,
    warp_points,
)


@given(
    st.floats(-200, 900),
    st.floats(-200, 900),
    st.floats(20, 900),
    st.floats(-1.2, 1.2),
)
@settings(max_examples=50, deadline=None)
def test_warp_levels_the_ears_and_spans_the_face(x: float, y: float, width: float, roll: float) -> None:
    landmarks = mesh(x, y, width, roll)
    warp = crop_warp(landmarks)
    points = warp_points(warp, landmarks)
    linear = warp[:, :2].astype(np.float64)
    scale = math.sqrt(np.linalg.det(linear))
    np.testing.assert_allclose(linear @ linear.T, np.eye(2) * scale**2, atol=1e-4 * scale**2)
    assert points[LEFT_EAR, 1] == pytest.approx(points[RIGHT_EAR, 1], abs=0.05)
    assert points[LEFT_EAR, 0] > points[RIGHT_EAR, 0]
    # 1.2 widths high, so the height fills the square, with 5 % of itself left over on each side
    assert points[CHIN, 1] - points[FOREHEAD, 1] == pytest.approx(224 / 1.1, abs=0.1)
    assert (points[CHIN, 1] + points[FOREHEAD, 1]) / 2 == pytest.approx(111.5, abs=0.1)


@pytest.mark.parametrize("bad", [np.zeros((468, 3), np.float32), np.zeros((478, 2), np.float32)])
def test_warp_refuses_what_is_no_face(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="landmarks"):
        crop_warp(bad)


def smooth_frame(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    gray = 128 + 50 * np.sin(x / 31) + 50 * np.cos(y / 23)
    return np.repeat(gray[..., None], 3, axis=2).round().astype(np.uint8)


@pytest.mark.parametrize("width", [100.0, 230.0, 450.0, 700.0])
def test_crop_samples_the_frame_where_the_warp_says(width: float) -> None:
    """Averaging down first must not shift the picture, not even by a part of a pixel."""
    frame = smooth_frame(1400, 1300)
    warp = crop_warp(mesh(640.3, 690.7, width, 0.13))
    crop = crop_gray(frame, warp)
    back = cv2.invertAffineTransform(warp)
    y, x = np.mgrid[0:224, 0:224].astype(np.float32)
    xy = np.stack([x, y], axis=-1) @ back[:, :2].T + back[:, 2]
    expected = 128 + 50 * np.sin(xy[..., 0] / 31) + 50 * np.cos(xy[..., 1] / 23)
    # Rounding to 8 bits twice, linear interpolation, the average over the factor's square.
    assert np.abs(crop - expected)[4:-4, 4:-4].max() < 3


def test_a_large_face_does_not_alias() -> None:
    y, x = np.mgrid[0:1000, 0:1000]
    frame = np.repeat((((x + y) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)
    crop = crop_gray(frame, crop_warp(mesh(500, 500, 700)))
    assert np.ptp(crop[4:-4, 4:-4].astype(int)) <= 2


def test_crop_goes_into_the_given_buffer_and_is_the_same_each_time() -> None:
    frame = np.random.default_rng(3).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    frame.flags.writeable = False
    warp = crop_warp(mesh(320, 240, 200, -0.1))
    history = np.zeros((3, 224, 224), np.uint8)
    assert Cropper(warp, *frame.shape[:2]).apply(frame, history[1]).base is not None
    np.testing.assert_array_equal(history[1], crop_gray(frame, warp))
    cropper = Cropper(warp, 480, 640)
    np.testing.assert_array_equal(cropper.apply(frame), cropper.apply(frame))
    assert not history[0].any()
    assert not history[2].any()


@pytest.mark.parametrize(
    ("x", "y", "width"), [(0, 0, 200), (640, 480, 200), (-900, 240, 100), (320, 240, 3000)]
)
def test_a_face_beyond_the_edge_repeats_the_last_pixel(x: float, y: float, width: float) -> None:
    frame = np.full((480, 640, 3), 77, np.uint8)
    assert (crop_gray(frame, crop_warp(mesh(x, y, width))) == 77).all()


def test_wrong_buffers_and_frames_are_refused() -> None:
    cropper = Cropper(crop_warp(mesh()), 400, 400)
    with pytest.raises(ValueError, match="frames of"):
        cropper.apply(np.zeros((300, 400, 3), np.uint8))
    with pytest.raises(ValueError, match="contiguous"):
        cropper.apply(np.zeros((400, 400, 3), np.uint8), np.zeros((224, 448), np.uint8)[:, ::2])
    with pytest.raises(ValueError, match="inverse"):
        Cropper(np.zeros((2, 3), np.float32), 400, 400)

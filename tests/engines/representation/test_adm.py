from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.flows import mirrored_flow
from support.moving_clips import moving_clip

from mer_live.engines.representation.adm import adm_row, adm_rows, adm_window, mirror_adm
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.motion_image import resize_gray
from mer_live.engines.representation.specs import FlowConfig


def smooth_flow(seed: int, size: int = 224, scale: float = 1.0) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).standard_normal((size, size, 2))
    field = cv2.GaussianBlur(noise, (0, 0), 20)
    return np.ascontiguousarray(scale * field / field.std(), dtype=np.float32)


def angle_gap(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.abs(np.angle(np.exp(1j * (a.astype(float) - b.astype(float)))))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 10))
def test_row_equals_the_plain_definition(seed: int, scale: float) -> None:
    flow = smooth_flow(seed, scale=scale)
    row = adm_row(flow)
    cells = flow.reshape(8, 28, 8, 28, 2).astype(np.float64)
    mean = cells.mean(axis=(1, 3))
    np.testing.assert_allclose(
        row[1::2].reshape(8, 8), np.linalg.norm(cells, axis=-1).mean(axis=(1, 3)), rtol=1e-5
    )
    expected = np.arctan2(mean[..., 1], mean[..., 0])
    assert angle_gap(row[0::2].reshape(8, 8), expected.astype(np.float32)).max() < 1e-3


def test_as_published_is_the_arithmetic_mean_of_angles() -> None:
    flow = smooth_flow(3)
    row = adm_row(flow, direction="as_published")
    angles = np.arctan2(flow[..., 1], flow[..., 0]).reshape(8, 28, 8, 28).mean(axis=(1, 3))
    np.testing.assert_allclose(row[0::2].reshape(8, 8), angles, atol=1e-4)
    np.testing.assert_array_equal(row[1::2], adm_row(flow)[1::2])


def test_leftward_motion_shows_why_circular_is_the_default() -> None:
    flow = np.zeros((224, 224, 2), np.float32)
    flow[..., 0] = -1.0
    flow[::2, :, 1], flow[1::2, :, 1] = 0.01, -0.01
    assert np.allclose(np.abs(adm_row(flow)[0::2]), np.pi, atol=1e-4)
    assert np.allclose(adm_row(flow, direction="as_published")[0::2], 0.0, atol=1e-4)


@pytest.mark.parametrize("direction", ["circular", "as_published"])
def test_zero_flow_of_either_sign_is_a_zero_row(direction: str) -> None:
    zero = np.zeros((224, 224, 2), np.float32)
    for flow in (zero, -zero):
        assert not adm_row(flow, direction=direction).any()  # type: ignore[arg-type]


@given(angle=st.floats(-3.14, 3.14), r=st.floats(0.01, 5))
@settings(max_examples=20, deadline=None)
def test_a_uniform_flow_has_its_angle_and_magnitude_in_every_cell(angle: float, r: float) -> None:
    flow = np.empty((224, 224, 2), np.float32)
    flow[...] = (r * np.cos(angle), r * np.sin(angle))
    row = adm_row(flow)
    np.testing.assert_allclose(row[0::2], angle, atol=1e-4)
    np.testing.assert_allclose(row[1::2], r, rtol=1e-4)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_mirrored_flow_gives_the_mirrored_row(seed: int) -> None:
    flow = smooth_flow(seed)
    got, expected = mirror_adm(adm_row(flow)), adm_row(mirrored_flow(flow))
    np.testing.assert_allclose(got[1::2], expected[1::2], rtol=1e-5)
    assert angle_gap(got[0::2], expected[0::2]).max() < 1e-3
    again = mirror_adm(got)
    assert angle_gap(again[0::2], adm_row(flow)[0::2]).max() < 1e-5
    assert (got[0::2] <= np.float32(np.pi)).all()
    assert (got[0::2] > -np.float32(np.pi)).all()


def test_row_is_written_in_place_and_checked() -> None:
    flow, out = smooth_flow(0), np.full(128, 9, np.float32)
    assert adm_row(flow, out) is out
    np.testing.assert_array_equal(out, adm_row(flow))
    with pytest.raises(ValueError, match="out must be"):
        adm_row(flow, np.empty(64, np.float32))
    with pytest.raises(ValueError, match="flow must be"):
        adm_row(flow[..., 0])
    with pytest.raises(ValueError, match="unknown"):
        adm_row(flow, direction="mean")  # type: ignore[arg-type]


def numbered_rows(count: int) -> NDArray[np.float32]:
    rows = np.repeat(np.arange(count, dtype=np.float32)[:, None], 128, axis=1)
    return rows


def test_full_window_takes_32_flows_each_side_of_the_apex() -> None:
    window = adm_window(numbered_rows(200), onset=10, apex=100, last=190)
    np.testing.assert_array_equal(window[:, 0], np.arange(69, 133))


def test_window_is_zero_outside_the_clip_and_packed_right() -> None:
    window = adm_window(numbered_rows(60), onset=20, apex=30, last=40)
    np.testing.assert_array_equal(window[-20:, 0], np.arange(21, 41))
    assert not window[:-20].any()


def test_one_sided_window_ends_at_the_apex() -> None:
    window = adm_window(numbered_rows(60), onset=5, apex=30, last=30)
    np.testing.assert_array_equal(window[-25:, 0], np.arange(6, 31))


def test_all_zero_rows_are_dropped_and_an_empty_window_is_zero() -> None:
    rows = numbered_rows(60)
    rows[25] = 0
    window = adm_window(rows, onset=20, apex=30, last=40)
    assert 25 not in window[:, 0]
    assert np.count_nonzero(window[:, 0]) == 19
    assert not adm_window(rows, onset=30, apex=30, last=30).any()


def test_rows_of_a_clip() -> None:
    clip = moving_clip(1.0, 0.0, length=10, onset=0, apex=5, offset=9)
    rows = adm_rows(clip.gray, make_flow())
    assert rows.shape == (10, 128)
    assert not rows[0].any()
    flow = make_flow()(clip.gray[3], clip.gray[4])
    np.testing.assert_array_equal(rows[4], adm_row(flow))
    half = adm_rows(clip.gray, make_flow(), flow_px=112)
    small = [resize_gray(image, 112) for image in clip.gray]
    np.testing.assert_array_equal(half[4], adm_row(make_flow()(small[3], small[4]), scale=2.0))
    # The same motion in the same px: the clip shifts by a constant.
    np.testing.assert_allclose(half[1:, 1::2].mean(), rows[1:, 1::2].mean(), rtol=0.1)
    late = adm_rows(clip.gray, make_flow(), first=6)
    assert not late[:6].any()
    np.testing.assert_array_equal(late[6:], rows[6:])


def test_rows_see_no_movement_in_flickering_light() -> None:
    clip = moving_clip(1.0, -0.5)
    depth = 1.0 + 0.15 * np.where(np.arange(len(clip.gray)) % 2, 1, -1)[:, None, None]
    lamp = np.clip(0.8 * clip.gray * depth, 0, 255).astype(np.uint8)
    flow = make_flow(FlowConfig(preset="ultrafast"))
    steady, seen = adm_rows(clip.gray, flow), adm_rows(lamp, flow)
    still = adm_rows(np.stack([lamp[0], lamp[1]]), flow)  # nothing has moved yet: all of it is light
    assert still[1, 1::2].mean() < 0.05
    assert np.abs(seen[:, 1::2] - steady[:, 1::2]).mean() < 0.25 * steady[:, 1::2].mean()

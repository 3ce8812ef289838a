from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.flows import mirrored_flow
from support.moving_clips import shifted, texture

from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.specs import FlowConfig

ALL = [FlowConfig(preset=p) for p in ("ultrafast", "fast", "medium")] + [FlowConfig(method="farneback")]


@pytest.mark.parametrize("config", ALL, ids=lambda c: f"{c.method}-{c.preset}")
def test_no_motion_is_zero(config: FlowConfig) -> None:
    image = texture()
    flow = make_flow(config)(image, image)
    if config.method == "farneback":  # OpenCV's leaves up to a quarter pixel in the outermost columns
        flow = flow[8:-8, 8:-8]
    assert np.abs(flow).max() < 1e-3


@pytest.mark.parametrize("config", ALL, ids=lambda c: f"{c.method}-{c.preset}")
def test_a_shift_is_found_with_its_sign(config: FlowConfig) -> None:
    image = texture()
    flow = make_flow(config)(image, shifted(image, 1.5, -0.75))
    inner = flow[24:-24, 24:-24].reshape(-1, 2)
    np.testing.assert_allclose(np.median(inner, axis=0), (1.5, -0.75), atol=0.1)


@settings(max_examples=10, deadline=None)
@given(dx=st.floats(-2, 2), dy=st.floats(-2, 2), seed=st.integers(0, 5))
def test_sub_pixel_shifts(dx: float, dy: float, seed: int) -> None:
    image = texture(seed)
    inner = make_flow()(image, shifted(image, dx, dy))[24:-24, 24:-24].reshape(-1, 2)
    np.testing.assert_allclose(inner.mean(axis=0), (dx, dy), atol=0.2)


@pytest.mark.parametrize("config", ALL, ids=lambda c: f"{c.method}-{c.preset}")
def test_mirrored_pair_has_mirrored_flow(config: FlowConfig) -> None:
    image = texture(1)
    moved = shifted(image, 0.8, 0.4)
    flow = make_flow(config)
    plain = flow(image, moved).copy()
    mirrored = flow(np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(moved[:, ::-1]))
    # DIS lays its patches from the left, so the two grids differ: equal on average, not bit by bit.
    assert np.abs(mirrored_flow(plain) - mirrored).mean() < 0.03


def test_the_result_depends_on_nothing_but_the_two_images() -> None:
    a, b, c = texture(0), shifted(texture(0), 0.5, 0.2), texture(7)
    fresh = make_flow()(a, b).copy()
    used = make_flow()
    for other in (b, c):
        used(other, a)
        np.testing.assert_array_equal(used(a, b), fresh)
    dirty = np.full((224, 224, 2), 9.0, np.float32)
    np.testing.assert_array_equal(used(a, b, out=dirty), fresh)


def test_buffer_ownership() -> None:
    a, b = texture(), shifted(texture(), 1, 0)
    flow = make_flow()
    own = flow(a, b)
    assert flow(a, a) is own
    out = np.empty((224, 224, 2), np.float32)
    assert flow(a, b, out=out) is out


@pytest.mark.parametrize(
    ("prev", "following"),
    [
        (np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32)),
        (np.zeros((64, 64), np.uint8), np.zeros((64, 32), np.uint8)),
        (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)),
    ],
)
def test_wrong_input_is_refused(prev: NDArray[np.uint8], following: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="gray uint8"):
        make_flow()(prev, following)


def test_wrong_out_is_refused() -> None:
    with pytest.raises(ValueError, match="out must be"):
        make_flow()(texture(), texture(), out=np.empty((2, 2, 2), np.float32))


@pytest.mark.parametrize("bad", [{"method": "brox"}, {"preset": "slow"}, {"levels": 0}, {"poly_sigma": 0.0}])
def test_bad_config_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"unknown|positive"):
        FlowConfig(**bad)  # type: ignore[arg-type]

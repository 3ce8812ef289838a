from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.moving_clips import moving_clip

from mer_live.engines.representation.head import head_motion, steadied, without_head
from mer_live.engines.representation.motion_image import mirror_flow_strain
from mer_live.engines.representation.represent import mirror_clip, represent
from mer_live.engines.representation.specs import Flow3Spec, FlowConfig

SIDE = 112


def similarity(motion: tuple[float, float, float, float], side: int = SIDE) -> NDArray[np.float32]:
    a, b, c, d = motion
    axis = (np.arange(side) + 0.5) * 2 / side - 1
    x, y = np.meshgrid(axis, axis)
    return np.stack([a + c * x - d * y, b + d * x + c * y], -1).astype(np.float32)


def bump(px: float, side: int = SIDE) -> NDArray[np.float32]:
    """A mouth corner that rises."""
    y, x = np.mgrid[:side, :side] / side
    field = np.zeros((side, side, 2), np.float32)
    field[..., 1] = -px * np.exp(-(((x - 0.65) / 0.08) ** 2 + ((y - 0.7) / 0.08) ** 2))
    return field


@settings(max_examples=40, deadline=None)
@given(
    motion=st.tuples(*[st.floats(-4, 4)] * 4), px=st.floats(0.2, 2.0), side=st.sampled_from([56, 112, 224])
)
def test_the_head_is_taken_out_and_the_face_stays(
    motion: tuple[float, float, float, float], px: float, side: int
) -> None:
    flow = similarity(motion, side) + bump(px, side)
    assert np.abs(head_motion(flow)[0] - motion).max() < 0.05
    assert np.abs(without_head(flow) - bump(px, side)).max() < 0.1


def test_a_mirrored_head_moves_mirrored() -> None:
    flow = similarity((1.0, -0.5, 0.3, 0.7)) + bump(1.0)
    one, other = head_motion(flow, mirror_flow_strain(flow))
    assert other == pytest.approx(one * (-1, 1, 1, -1), abs=1e-5)
    np.testing.assert_array_equal(one, head_motion(flow)[0])


def test_frames_are_laid_over_the_first() -> None:
    face = cv2.resize(moving_clip(0.0, 0.0).gray[0], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    turn = cv2.getRotationMatrix2D(((SIDE - 1) / 2, (SIDE - 1) / 2), 1.0, 1.01)
    turn[:, 2] += (1.5, -1.0)
    moved = cv2.warpAffine(face, turn, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    frames = np.stack([face, moved, face])
    steady = steadied(frames)
    inner = np.s_[12:-12, 12:-12]
    before, after = (np.abs(f[1].astype(float) - face)[inner].mean() for f in (frames, steady))
    assert after < 0.25 * before
    np.testing.assert_array_equal(steady[0], face)
    assert np.abs(steady[2].astype(float) - face).max() <= 1


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_flow_of_the_mirrored_clip_is_the_mirrored_flow(dtype: str) -> None:
    spec = Flow3Spec(flow=FlowConfig(method="farneback"), dtype=dtype, steady=True)  # type: ignore[arg-type]
    clip = moving_clip(1.0, -0.5)
    unit = 1.0 if dtype == "uint8" else 0.04
    seen = represent(mirror_clip(clip), spec).astype(float)
    assert np.abs(seen - mirror_flow_strain(represent(clip, spec))).max() <= 1.5 * unit

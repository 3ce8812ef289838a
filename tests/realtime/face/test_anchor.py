from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.face_meshes import mesh

from mer_live.realtime.face.anchor import STABLE_POINTS, AnchorPolicy, fit_pose
from mer_live.realtime.face.search import around, search_looks

STEP_NS = 50_000_000


def feed(policy: AnchorPolicy, poses: list[np.ndarray], start: int = 0) -> list[int]:
    """Anchor number after each landmark set, 50 ms apart."""
    anchors = []
    for k, landmarks in enumerate(poses):
        policy.seen(landmarks, (start + k) * STEP_NS)
        anchors.append(policy.anchor)
    return anchors


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.5, 2), st.floats(-1, 1))
@settings(max_examples=30, deadline=None)
def test_fit_pose_recovers_a_similarity(x: float, y: float, scale: float, roll: float) -> None:
    pose = fit_pose(mesh(), mesh(200 + x, 200 + y, 120 * scale, roll))
    assert pose.scale == pytest.approx(scale, rel=1e-4)
    assert pose.roll_rad == pytest.approx(roll, abs=1e-4)
    assert pose.residual == pytest.approx(0, abs=1e-2)


def test_expressions_and_jitter_do_not_move_the_crop() -> None:
    rng = np.random.default_rng(0)
    soft = np.setdiff1d(np.arange(478), STABLE_POINTS)
    policy = AnchorPolicy()
    poses = []
    for k in range(200):
        landmarks = mesh() + rng.normal(0, 0.3, (478, 2)).astype(np.float32)
        landmarks[soft] += 8 * math.sin(k / 5)  # brows, lids, mouth, jaw: far more than a micro-expression
        poses.append(landmarks)
    assert feed(policy, poses)[-1] == 1


@pytest.mark.parametrize(
    "moved",
    [
        mesh(206, 200),
        mesh(200, 194),
        mesh(width=127),
        mesh(width=112),
        mesh(roll_rad=0.09),
        mesh(roll_rad=-0.09),
    ],
)
def test_a_head_that_has_moved_gets_one_new_crop(moved: np.ndarray) -> None:
    policy = AnchorPolicy()
    anchors = feed(policy, [mesh()] * 10 + [moved] * 20)
    assert anchors[9] == 1
    assert anchors[-1] == 2
    np.testing.assert_allclose(policy.landmarks, moved)


def test_a_turned_head_gets_a_new_crop() -> None:
    turned = mesh()
    turned[list(STABLE_POINTS[:8])] += (7, 0)  # eyes and nose slide across the face
    assert feed(AnchorPolicy(), [mesh()] * 10 + [turned] * 10)[-1] == 2


def test_a_small_movement_does_not() -> None:
    assert feed(AnchorPolicy(), [mesh()] * 10 + [mesh(203, 200, 123, 0.03)] * 20)[-1] == 1


def test_a_moving_head_is_anchored_at_most_every_quarter_second() -> None:
    policy = AnchorPolicy()
    anchors = feed(policy, [mesh(200 + 1.5 * k, 200) for k in range(100)])  # 5 s
    changes = np.flatnonzero(np.diff(anchors))
    assert len(changes) >= 3
    assert np.diff(changes).min() * STEP_NS >= 250_000_000


def test_a_head_that_leaves_the_square_is_followed_at_once() -> None:
    anchors = feed(AnchorPolicy(), [mesh(), mesh(260, 200), mesh(260, 200), mesh(260, 200)])
    assert anchors[2] == 2


def test_a_short_loss_keeps_the_crop_and_a_long_one_drops_it() -> None:
    policy = AnchorPolicy()
    feed(policy, [mesh()] * 3)  # last seen at 100 ms
    assert not policy.lost(150_000_000)
    assert not policy.lost(250_000_000)
    assert feed(policy, [mesh()], start=6) == [1]
    assert policy.lost(500_000_000)
    assert policy.warp is None
    assert feed(policy, [mesh()], start=12) == [2]


@given(st.integers(0, 10**12))
@settings(max_examples=20, deadline=None)
def test_a_shift_of_time_changes_nothing(shift: int) -> None:
    rng = np.random.default_rng(5)
    walk = np.cumsum(rng.normal(0, 3, (60, 2)), axis=0) + 200
    one, two = AnchorPolicy(), AnchorPolicy()
    for k, (x, y) in enumerate(walk):
        one.seen(mesh(x, y), k * STEP_NS)
        two.seen(mesh(x, y), k * STEP_NS + shift)
        assert one.anchor == two.anchor


@given(
    st.integers(50, 5000),
    st.integers(50, 5000),
    st.floats(-300, 2300),
    st.floats(-300, 2300),
    st.floats(5, 900),
)
@settings(max_examples=100, deadline=None)
def test_every_region_lies_inside_the_frame(height: int, width: int, x: float, y: float, face: float) -> None:
    regions = [look.region for look in search_looks(height, width)]
    for left, top, right, bottom in [around(height, width, mesh(x, y, face)), *regions]:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height


@pytest.mark.parametrize(("height", "width", "most"), [(480, 640, 2), (1080, 1920, 16), (2160, 3840, 70)])
def test_looks_leave_no_place_for_a_face_of_80_px_and_close_in_on_a_known_one(
    height: int, width: int, most: int
) -> None:
    looks = search_looks(height, width)
    assert looks[0] == ((0, 0, width, height), False)
    assert len(looks) <= most
    small = [r for r, _ in looks if max(r.right - r.left, r.bottom - r.top) <= 640]
    for x in range(50, width - 50, 37):
        for y in range(60, height - 60, 37):
            assert any(
                r.left <= x - 50 and r.right >= x + 50 and r.top <= y - 60 and r.bottom >= y + 60
                for r in small
            )
    left, top, right, bottom = around(1080, 1920, mesh(1000, 500, 100))
    assert right - left == bottom - top == 400
    assert left <= 800 + 8
    assert right >= 1200 - 8
    assert around(480, 640, mesh(300, 240, 170)) == (0, 0, 640, 480)

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import local_binary_pattern
from support.folders import write_set

from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
from mer_live.training.methods.features import _FEATURES, FEATURES, extract, make_feature
from mer_live.training.methods.features.bi_woof import BiWoof
from mer_live.training.methods.features.blocks import block_map
from mer_live.training.methods.features.flow_frames import Fhofo, HoofFrames
from mer_live.training.methods.features.higo import Higo
from mer_live.training.methods.features.hoof import Hoof
from mer_live.training.methods.features.integral_projection import IntegralProjection
from mer_live.training.methods.features.lbp_codes import circle, codes, uniform_bins
from mer_live.training.methods.features.lbp_sip import LbpSip
from mer_live.training.methods.features.lbp_top import LbpTop
from mer_live.training.methods.features.tim import tim


def frames(t: int = 8, size: int = 30, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, (t, size, size)).astype(np.uint8)


def flow_image(size: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(size, size, 3)).astype(np.float32)
    image[..., 2] = np.abs(image[..., 2])
    return image


@pytest.mark.filterwarnings("ignore:Applying .local_binary_pattern. to floating-point")
def test_codes_on_a_circle_are_those_of_scikit_image() -> None:
    clip = np.random.default_rng(0).normal(size=(9, 20, 21)).astype(np.float32)
    around = circle(8, 3, 3)
    # In double precision scikit-image interpolates the same values; none of them is a tie.
    xy = codes(clip, [(0.0, a, b) for a, b in around], (3, 3, 3))
    xt = codes(clip, [(a, 0.0, b) for a, b in around], (3, 3, 3))
    yt = codes(clip, [(a, b, 0.0) for a, b in around], (3, 3, 3))
    inner = slice(3, -3)
    for k in range(3):
        assert (xy[k] == local_binary_pattern(clip[3 + k], 8, 3)[inner, inner]).all()
        assert (xt[:, k] == local_binary_pattern(clip[:, 3 + k], 8, 3)[inner, inner]).all()
        assert (yt[:, :, k] == local_binary_pattern(clip[:, :, 3 + k], 8, 3)[inner, inner]).all()


def test_uniform_bins() -> None:
    table = uniform_bins(8)
    assert table.max() == 58
    assert table[0b00001110] != 58
    assert table[0b00001010] == 58
    assert uniform_bins(4).max() == 14


def test_lbp_top_by_hand() -> None:
    # A ramp in time: the later frame is brighter, within a frame everything is equal.
    clip = np.repeat(np.arange(3, dtype=np.uint8)[:, None, None] * 10, 6, 1).repeat(6, 2)
    vector = LbpTop(points=4, radius=1, radius_t=1, grid=1, size=6).vector(clip)
    xy, xt, yt = vector.reshape(3, 15)
    table = uniform_bins(4)
    # Neighbours in the order right, up, left, down; in XT and YT "up" is the frame before, which is darker.
    assert xy[table[0b1111]] == 1
    assert xt[table[0b1101]] == 1
    assert yt[table[0b1101]] == 1
    assert vector.sum() == 3


def test_lbp_sip_by_hand() -> None:
    clip = np.repeat(np.arange(3, dtype=np.uint8)[:, None, None] * 10, 6, 1).repeat(6, 2)
    split = LbpSip(radius_t=1, grid=1, size=6).vector(clip)
    assert split[0b1111] == 1
    assert split[16 + 0b10] == 1  # only the frame after is as bright
    joint = LbpSip(radius_t=1, grid=1, size=6, joint=True).vector(clip)
    assert joint[0b101111] == 1
    assert joint.shape == (64,)


def test_hoof_by_hand() -> None:
    image = np.zeros((2, 2, 3), np.float32)
    image[0, 0, :2] = (3, 0)  # right
    image[0, 1, :2] = (-1, 0)  # left
    image[1, 0, :2] = (0, 2)  # down
    full = Hoof(bins=4, symmetric=False, grid=1).vector(image)
    # Angles 0 -> third quarter, pi -> last, pi/2 -> last; bins start at -pi.
    assert full == pytest.approx([0, 0, 3 / 6, 3 / 6])
    assert Hoof(bins=2, grid=1).vector(image) == pytest.approx([0, 1])
    assert Hoof(bins=4, grid=2).vector(image)[12:] == pytest.approx(0)  # no motion: zeros, no NaN


def test_bi_woof_by_hand() -> None:
    image = np.zeros((2, 4, 3), np.float32)
    image[:, :2, 0] = 2  # left block moves right
    image[:, 2:, 1] = -1  # right block moves up
    image[:, :2, 2], image[:, 2:, 2] = 0.5, 3.0
    with pytest.raises(ValueError, match="does not fit"):
        BiWoof(grid=3).vector(image)
    two = BiWoof(bins=4, grid=2).vector(image).reshape(2, 2, 4)
    # Per block: magnitude x strain = 2 x 0.5 and 1 x 3 -> shares 1/4 and 3/4, equal for both rows.
    assert two[:, 0].sum(1) == pytest.approx([0.125, 0.125])
    assert two[:, 1].sum(1) == pytest.approx([0.375, 0.375])
    assert two[0, 0, 2] == pytest.approx(0.125)  # angle 0
    assert two[0, 1, 1] == pytest.approx(0.375)  # angle -pi/2


def test_texture_features_ignore_brightness_and_contrast() -> None:
    clip = frames()
    for feature in (LbpTop(size=30, grid=2), LbpSip(size=30, grid=2)):
        assert np.array_equal(feature.vector(clip), feature.vector(clip + 50))
    small = clip // 2
    assert np.array_equal(LbpSip(size=30).vector(small), LbpSip(size=30).vector(small * 2))
    assert not np.array_equal(LbpTop(size=30).vector(clip), LbpTop(size=30).vector(clip[::-1]))


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 50), st.integers(0, 99))
def test_flow_features_ignore_the_strength_of_the_movement(factor: float, seed: int) -> None:
    image = flow_image(seed=seed).astype(np.float64)
    scaled = image * [factor, factor, factor]
    for feature in (Hoof(), BiWoof(grid=4)):
        assert feature.vector(image) == pytest.approx(feature.vector(scaled), abs=1e-9)


def test_hoof_does_not_tell_a_movement_from_its_mirror_image() -> None:
    image = flow_image()
    mirrored = image * np.array([-1, 1, 1], np.float32)
    assert Hoof().vector(image) == pytest.approx(Hoof().vector(mirrored))
    full = Hoof(symmetric=False)
    assert not np.allclose(full.vector(image), full.vector(mirrored))


def test_eight_bits_and_floats_agree_on_the_direction() -> None:
    image = np.zeros((10, 10, 3), np.float32)
    image[..., :2] = (0.8, -0.6)
    image[..., 2] = 0.1
    coded = np.rint(128 + 127 * image[..., :2] / 4)
    eight = np.dstack([coded, 255 * image[..., 2:] / 0.2]).astype(np.uint8)
    for feature in (Hoof(), BiWoof(grid=5)):
        assert feature.vector(image) == pytest.approx(feature.vector(eight), abs=1e-6)


def test_blocks() -> None:
    assert np.bincount(block_map(7, 7, 3).ravel()).sum() == 49
    assert block_map(4, 4, 2).tolist()[0] == [0, 0, 1, 1]


def test_interpolated_frames_lie_on_the_curve_through_those_given() -> None:
    clip = frames(t=6).astype(np.float32)
    assert tim(clip, 0) is clip
    # Every second of 11 frames is one of the six; a course that is one of the curve's own is met in between, too.
    assert tim(clip, 11)[::2] == pytest.approx(clip, abs=1e-3)
    places = (np.arange(1, 7) - 0.5) * np.pi / 6
    finer = np.linspace(0.5, 5.5, 64) * np.pi / 6
    wave = np.cos(2 * places)[:, None, None].astype(np.float32)
    assert tim(wave, 64).ravel() == pytest.approx(np.cos(2 * finer), abs=1e-5)
    with pytest.raises(ValueError, match="one frame"):
        tim(clip[:1], 10)
    assert LbpTop(size=30, grid=2, tim=10).vector(frames(t=3)).shape == (4 * 3 * 59,)


def test_cdmers_grids_stand_side_by_side() -> None:
    clip = frames()
    parts = [LbpTop(size=30, grid=grid).vector(clip) for grid in (1, 2, 4, 8)]
    assert np.array_equal(LbpTop(size=30, multi=True).vector(clip), np.concatenate(parts))


def test_gradients_vote_once_each() -> None:
    ramp = np.tile(
        np.arange(0, 120, 10, dtype=np.uint8), (4, 12, 1)
    )  # brighter to the right, the same in every frame
    xy, xt, yt = Higo(size=12, grid=1, bins=4).vector(ramp).reshape(3, 4)
    assert xy == pytest.approx([0, 0, 1, 0])  # angle 0
    assert xt == pytest.approx([0, 0, 1, 0])
    assert yt.sum() == 0
    stronger = Higo(size=12, grid=1, bins=4).vector(ramp * 2)
    assert stronger[:4] == pytest.approx(xy)


def test_projections_see_what_moved_and_not_what_stands() -> None:
    clip = np.repeat(frames(t=1, size=32), 6, 0)
    still = IntegralProjection(size=32, grid=2).vector(clip)
    assert np.array_equal(still, IntegralProjection(size=32, grid=2).vector(clip // 2)), "nothing moved"
    clip[3:, 4:9, 4:9] = 255
    moved = IntegralProjection(size=32, grid=2).vector(clip).reshape(4, -1)
    assert (moved != still.reshape(4, -1)).any(1).tolist() == [True, False, False, False]


def test_flow_of_every_frame_points_where_the_face_goes() -> None:
    wide = cv2.GaussianBlur(frames(t=1, size=160)[0], (0, 0), 3)
    right = np.stack([wide[20:132, 30 - 2 * k : 142 - 2 * k] for k in range(4)])
    hoof = HoofFrames(bins=4, grid=1, tim=0).vector(right).reshape(3, 4)
    assert (hoof[:, 1:3].sum(1) > 0.9).all(), "angle 0 lies between the second and the third quarter"
    fuzzy = Fhofo(bins=4, grid=1, tim=0).vector(right).reshape(3, 4)
    assert fuzzy.sum(1) == pytest.approx(1)
    assert fuzzy[:, 1] == pytest.approx(fuzzy[:, 2], abs=0.1), "an angle between two bins belongs to both"
    assert Fhofo(bins=4, grid=1, tim=0).vector(np.repeat(right[:1], 3, 0)).sum() == 0


def test_by_name() -> None:
    clips = {"frames": np.stack([frames(seed=k) for k in range(3)]), "flow": np.stack([flow_image()] * 3)}
    sizes = {"lbp-top": 25 * 3 * 59, "lbp-sip": 25 * 20, "hoof": 25 * 8, "bi-woof": 36 * 8}
    sizes |= {
        "hoof-frames": 9 * 25 * 8,
        "fhofo": 9 * 36 * 8,
        "higo": 36 * 3 * 8,
        "stlbp-ip": 16 * 2 * (256 + 59),
    }
    assert set(FEATURES) == set(_FEATURES) == set(sizes)
    for name in FEATURES:
        feature = make_feature(name)
        rows = extract(feature, clips[feature.input])
        assert rows.shape == (3, sizes[name])
        assert rows is extract(feature, clips[feature.input].copy())  # remembered by content
        assert np.array_equal(rows[1], feature.vector(clips[feature.input][1]))
    with pytest.raises(ValueError, match="unknown setting 'radio'"):
        make_feature("lbp-top", {"radio": "1"})
    with pytest.raises(ValueError, match="choose one of lbp-top"):
        make_feature("sift")
    with pytest.raises(ValueError, match="steps=7"):
        LbpTop(size=30).vector(frames(t=5))
    with pytest.raises(ValueError, match="map the array 'flow3'"):
        Hoof().vector(frames())


def test_svm_on_a_feature_in_an_evaluation(tmp_path: Path) -> None:
    data = write_set(tmp_path / "d")
    labels = [int(line.split(",")[3]) for line in (data / "index.csv").read_text().splitlines()[1:]]
    made = [frames(seed=label) // 2 + frames(seed=9 + k) // 4 for k, label in enumerate(labels)]
    np.save(data / "frames.npy", np.stack(made))
    settings_ = {"feature": "lbp-top", "options": ("grid=2", "size=30"), "kernel": "linear"}
    report = evaluate(EvaluationRequest(data, "loso", "svm", settings=settings_))
    assert report["inputs"] == {"frames": "frames"}
    assert report["config"]["feature"] == "lbp-top"
    assert report["scores"]["full"]["uf1"] == 1

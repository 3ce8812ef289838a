from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.moving_clips import moving_clip

from mer_live.engines.representation.adm import adm_rows
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.light import lit_like
from mer_live.engines.representation.motion_image import flow_to_gray, optical_strain
from mer_live.engines.representation.represent import (
    frames_of,
    input_shape,
    middle_frames,
    mirror_clip,
    network_input,
    represent,
)
from mer_live.engines.representation.specs import (
    AdmSpec,
    ApexSpec,
    Flow3Spec,
    FlowConfig,
    FramesSpec,
    MotionSpec,
    RepresentationSpec,
    make_spec,
    spec_from_json,
    spec_to_json,
)

SPECS: list[RepresentationSpec] = [
    MotionSpec(),
    MotionSpec(scaling="fixed", r_max_px=2.0, middle="centre", flow=FlowConfig(method="farneback")),
    ApexSpec(),
    AdmSpec(),
    Flow3Spec(),
    Flow3Spec(dtype="float32"),
    FramesSpec(steps=5, size=112),
    MotionSpec(steady=True),
    FramesSpec(steps=5, size=112, steady=True),
]
NAMES = [f"{s.name}-{i}" for i, s in enumerate(SPECS)]


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_shape_dtype_and_network_input(spec: RepresentationSpec) -> None:
    array = represent(moving_clip(1.0, -0.5), spec)
    assert array.shape == spec.shape
    single = network_input(array, spec)
    batch = network_input(np.stack([array, array]), spec)
    assert single.shape == input_shape(spec)
    assert single.dtype == batch.dtype == np.float32
    assert single.flags.c_contiguous
    assert batch.flags.c_contiguous
    np.testing.assert_array_equal(batch[1], single)


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_spec_survives_json(spec: RepresentationSpec) -> None:
    assert spec_from_json(json.loads(json.dumps(spec_to_json(spec)))) == spec


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "motoin"}, "unknown"),
        ({"name": "motion", "sise": 112}, "unknown key 'sise'"),
        ({"name": "motion", "flow": {"methd": "dis"}}, "unknown key 'methd'"),
        ({"name": "motion", "scaling": "log"}, "not one of"),
        ({"name": "motion", "size": "112"}, "expected int"),
        ({"name": "motion", "size": True}, "expected int"),
        ({"name": "motion", "channels": ["red"]}, "not one of"),
        ({"name": "adm", "flow": 3}, "expected an object"),
    ],
)
def test_bad_spec_is_refused_by_name(data: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spec_from_json(data)


def test_network_input_scaling() -> None:
    apex = np.full((224, 224), 200, np.uint8)
    assert network_input(apex, ApexSpec()).max() == 200.0
    motion = np.zeros((112, 112, 3), np.uint8)
    motion[3, 5, 1] = 255
    planes = network_input(motion, MotionSpec())
    assert planes[1, 3, 5] == 1.0
    assert planes.sum() == 1.0
    with pytest.raises(ValueError, match="must be"):
        network_input(motion[:50], MotionSpec())
    with pytest.raises(ValueError, match="must be"):
        network_input(apex[None, None], ApexSpec())


def test_no_motion() -> None:
    clip = moving_clip(0.0, 0.0)
    motion = represent(clip, MotionSpec())
    assert (motion[..., 0] == 255).all()
    assert (motion[..., 2] == 255).all()
    assert not represent(clip, AdmSpec()).any()
    flow3 = represent(clip, Flow3Spec())
    assert (flow3[..., :2] == 128).all()
    assert not flow3[..., 2].any()


@settings(max_examples=8, deadline=None)
@given(dx=st.floats(-2, 2), dy=st.floats(-2, 2))
def test_pure_shift_in_flow3(dx: float, dy: float) -> None:
    clip = moving_clip(dx, dy)
    image = represent(clip, Flow3Spec(dtype="float32", flow_px=224))[4:-4, 4:-4]
    np.testing.assert_allclose(image[..., :2].mean(axis=(0, 1)), (dx, dy), atol=0.2)
    assert image[..., 2].mean() < 0.06


def test_pure_shift_in_adm_points_forth_and_back() -> None:
    window = represent(moving_clip(2.0, 0.0), AdmSpec())
    taken = window[window.any(axis=1)]
    assert 16 <= len(taken) <= 18  # rows 4..21 of the clip
    inner = taken.reshape(-1, 8, 8, 2)[:, 2:6, 2:6]
    horizontal = (inner[..., 1] * np.cos(inner[..., 0])).mean(axis=(1, 2))
    assert horizontal[:9].sum() == pytest.approx(2.0, abs=0.6)
    assert horizontal[9:].sum() == pytest.approx(-2.0, abs=0.6)


@pytest.mark.parametrize(("dx", "dy"), [(1.5, 0.0), (0.7, -1.2)])
def test_mirrored_clip_gives_the_mirrored_representation(dx: float, dy: float) -> None:
    clip = moving_clip(dx, dy)
    mirrored = mirror_clip(clip)
    np.testing.assert_array_equal(represent(mirrored, ApexSpec()), represent(clip, ApexSpec())[:, ::-1])
    frames = FramesSpec(size=112)
    np.testing.assert_array_equal(represent(mirrored, frames), represent(clip, frames)[..., ::-1])
    # The flows of the two differ a little (DIS patches start at the left), so equal on average.
    spec = Flow3Spec(dtype="float32")
    plain, other = represent(clip, spec), represent(mirrored, spec)
    assert np.abs(other - plain[:, ::-1] * np.array([-1, 1, 1], np.float32)).mean() < 0.03
    with_rows = replace(clip, adm=adm_rows(clip.gray, make_flow(AdmSpec().flow), flow_px=AdmSpec().flow_px))
    a, b = represent(mirror_clip(with_rows), AdmSpec()), represent(mirrored, AdmSpec())
    ax = a[:, 1::2] * np.cos(a[:, 0::2])
    bx = b[:, 1::2] * np.cos(b[:, 0::2])
    assert np.abs(ax - bx).mean() < 0.01


def test_motion_image_channels() -> None:
    clip = moving_clip(1.0, 0.5)
    full = represent(clip, MotionSpec())
    np.testing.assert_array_equal(represent(clip, MotionSpec(channels=("face",)))[..., 1], full[..., 1])
    assert not represent(clip, MotionSpec(channels=("face",)))[..., [0, 2]].any()
    assert not represent(clip, MotionSpec(channels=("onset", "face")))[..., 2].any()
    provisional = represent(replace(clip, offset=None), MotionSpec())
    np.testing.assert_array_equal(provisional[..., :2], full[..., :2])
    assert not provisional[..., 2].any()


def test_middle_is_the_apex_or_the_temporal_centre() -> None:
    clip = moving_clip(2.0, 0.0, onset=2, apex=8, offset=21)
    apex, centre = represent(clip, MotionSpec()), represent(clip, MotionSpec(middle="centre"))
    assert not np.array_equal(apex[..., 1], centre[..., 1])
    moved = represent(replace(clip, apex=11), MotionSpec())
    np.testing.assert_array_equal(centre, moved)
    unfinished = replace(clip, offset=None)
    np.testing.assert_array_equal(
        represent(unfinished, MotionSpec(middle="centre")), represent(unfinished, MotionSpec())
    )


def test_middle_frames_of_the_training_augmentation() -> None:
    clip = moving_clip(0.0, 0.0, onset=0, apex=10, offset=20)
    assert list(middle_frames(clip)) == [8, 9, 10, 11, 12]
    assert len(middle_frames(replace(clip, onset=10, offset=10))) == 1
    assert len(middle_frames(replace(clip, onset=10, offset=11))) == 1


def test_scaling_fixed_keeps_magnitude_and_minmax_does_not() -> None:
    y, x = np.mgrid[:112, :112].astype(np.float32) / 112
    small = np.dstack([x, y]).astype(np.float32)
    np.testing.assert_allclose(flow_to_gray(small).astype(int), flow_to_gray(2 * small).astype(int), atol=1)
    assert flow_to_gray(small, "fixed").mean() > flow_to_gray(2 * small, "fixed").mean() + 5
    with pytest.raises(ValueError, match="unknown"):
        flow_to_gray(small, "log")  # type: ignore[arg-type]


def test_strain_of_a_known_field() -> None:
    y, x = np.mgrid[:32, :32].astype(np.float32)
    stretch = np.dstack([0.1 * x, np.zeros_like(x)]).astype(np.float32)
    np.testing.assert_allclose(optical_strain(stretch), 0.1, atol=1e-6)
    rotation = np.dstack([-0.1 * y, 0.1 * x]).astype(np.float32)
    np.testing.assert_allclose(optical_strain(rotation), 0.0, atol=1e-6)
    shear = np.dstack([0.1 * y, np.zeros_like(x)]).astype(np.float32)
    np.testing.assert_allclose(optical_strain(shear), 0.1 / np.sqrt(2), atol=1e-6)


def test_frames_are_spread_from_onset_to_the_end() -> None:
    clip = moving_clip(2.0, 0.0)
    frames = represent(clip, FramesSpec(steps=4, size=224))
    np.testing.assert_array_equal(frames, clip.gray[[3, 9, 15, 21]])
    unfinished = represent(replace(clip, offset=None), FramesSpec(steps=2, size=224))
    np.testing.assert_array_equal(unfinished, clip.gray[[3, 23]])
    to_apex = FramesSpec(steps=2, size=224, end="apex")
    for known in (clip, replace(clip, offset=None)):  # a provisional decision sees what the final one sees
        np.testing.assert_array_equal(represent(known, to_apex), clip.gray[[3, clip.apex]])


def test_known_adm_rows_are_used_and_equal_the_computed_ones() -> None:
    clip = moving_clip(1.0, 1.0)
    rows = adm_rows(clip.gray, make_flow(AdmSpec().flow), flow_px=AdmSpec().flow_px)
    np.testing.assert_array_equal(represent(replace(clip, adm=rows), AdmSpec()), represent(clip, AdmSpec()))


@pytest.mark.parametrize("offset", [None, 21])
@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_no_other_crop_is_looked_at_than_those_told(spec: RepresentationSpec, offset: int | None) -> None:
    clip = moving_clip(1.5, -0.5, offset=offset, length=24)
    clip = replace(clip, adm=adm_rows(clip.gray, make_flow()))
    told = frames_of(spec, clip.onset, clip.apex, clip.offset, 23)
    blank = np.zeros_like(clip.gray)
    blank[told] = clip.gray[told]
    np.testing.assert_array_equal(represent(replace(clip, gray=blank), spec), represent(clip, spec))


def test_a_foreign_flow_object_is_refused() -> None:
    with pytest.raises(ValueError, match="the representation wants"):
        represent(moving_clip(0.0, 0.0), MotionSpec(), make_flow(FlowConfig(method="farneback")))


def test_make_spec() -> None:
    assert make_spec("motion", scaling="fixed") == MotionSpec(scaling="fixed")


@pytest.mark.parametrize("spec", [MotionSpec(scaling="fixed"), Flow3Spec(), FramesSpec(steps=8, size=112)])
def test_flickering_light_is_no_movement(spec: RepresentationSpec) -> None:
    clip = moving_clip(1.0, -0.5)
    steady = represent(clip, spec).astype(float)
    depth = 1.0 + 0.15 * np.where(np.arange(len(clip.gray)) % 2, 1, -1)[:, None, None]
    light = np.clip(0.8 * clip.gray * depth, 0, 255).astype(np.uint8)
    dim = replace(clip, gray=(0.8 * clip.gray * depth[clip.onset]).astype(np.uint8))
    wanted = represent(dim, spec).astype(float)
    seen = represent(replace(clip, gray=light), spec).astype(float)
    assert np.abs(seen - wanted).mean() < 0.02 * max(1.0, np.ptp(steady))


def test_steady_light_is_left_as_it_is() -> None:
    clip = moving_clip(1.0, -0.5)
    crop = clip.gray[clip.apex]
    assert lit_like(crop, clip.gray[clip.onset]) is crop
    assert lit_like(np.zeros_like(crop), crop).max() == 0

"""What networks see of clips, made on a device (here the CPU), against numpy and OpenCV."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.moving_crops import assert_adm_close, assert_levels_close, crops_of
from support.random_bundles import random_bundle
from support.recorded_graph import RecordedGraphs

from mer_live.engines.bundle import Bundle
from mer_live.engines.device.device import Device
from mer_live.engines.device.inputs import DeviceInputs, made_on_device, with_device_flow
from mer_live.engines.device.ops import adm_rows as device_adm_rows
from mer_live.engines.device.ops import flow_to_gray, shrink
from mer_live.engines.errors import BundleError
from mer_live.engines.representation.adm import adm_row, adm_rows
from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.motion_image import flow_to_gray as cpu_flow_to_gray
from mer_live.engines.representation.motion_image import resize_gray
from mer_live.engines.representation.represent import network_input, represent
from mer_live.engines.representation.specs import (
    AdmSpec,
    ApexSpec,
    Flow3Spec,
    FlowConfig,
    FramesSpec,
    MotionSpec,
    RepresentationSpec,
)

FARNEBACK = FlowConfig(method="farneback")
ONSET, APEX, OFFSET = 2, 8, 14
torch.set_num_threads(1)


def clip_of(gray: NDArray[np.uint8], offset: int | None = OFFSET) -> Clip:
    stop = APEX + 2 if offset is None else offset + 1
    rows = adm_rows(gray[:stop], make_flow(FARNEBACK))
    return Clip(gray[:stop], np.arange(stop, dtype=np.int64), ONSET, APEX, offset, rows)


def permitting(name: str, *flows: Any) -> Bundle:
    bundle = random_bundle(name)
    return replace(bundle, card=replace(bundle.card, flows=flows))


# Single functions


@pytest.mark.parametrize("direction", ["circular", "as_published"])
def test_adm_rows_equal_numpy(direction: Any) -> None:
    rng = np.random.default_rng(0)
    flow = rng.standard_normal((3, 224, 224, 2)).astype(np.float32)
    flow[2] = 0
    got = device_adm_rows(torch.from_numpy(flow).permute(0, 3, 1, 2), direction).numpy()
    for k in range(3):
        assert_adm_close(got[k], adm_row(flow[k], direction=direction))
    assert not got[2].any()


@pytest.mark.parametrize("scaling", ["minmax", "fixed"])
def test_flow_image_equals_numpy(scaling: Any) -> None:
    rng = np.random.default_rng(1)
    flow = cv2.GaussianBlur(rng.standard_normal((112, 112, 2)).astype(np.float32), (0, 0), 4) * 9
    batch = np.stack([flow, np.zeros_like(flow)])
    got = flow_to_gray(torch.from_numpy(batch).permute(0, 3, 1, 2), scaling, 3.0).numpy()
    for k in range(2):
        assert_levels_close(got[k], cpu_flow_to_gray(batch[k], scaling, 3.0))


@pytest.mark.parametrize("size", [224, 112, 56])
def test_shrinking_equals_opencv(size: int) -> None:
    image = crops_of()[0]
    got = shrink(torch.from_numpy(image)[None].float(), size)[0].numpy()
    np.testing.assert_array_equal(got, resize_gray(image, size))


def test_sizes_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be shrunk"):
        shrink(torch.zeros(1, 224, 224), 100)
    with pytest.raises(ValueError, match="does not divide"):
        device_adm_rows(torch.zeros(1, 2, 100, 100))


# Inputs


@pytest.mark.parametrize("graphs", [None, RecordedGraphs()], ids=["called", "replayed"])
@pytest.mark.parametrize(
    "motion",
    [{}, {"scaling": "fixed", "middle": "centre"}, {"channels": ("onset", "face")}, {"steady": True}],
    ids=["paper", "fixed-centre", "ablation", "steady"],
)
def test_motion_images_of_several_clips_equal_the_cpu(
    motion: dict[str, Any], graphs: RecordedGraphs | None
) -> None:
    """Final and provisional, one clip darker at its apex, three at once and then one alone."""
    spec = MotionSpec(flow=FARNEBACK, **motion)
    dim = crops_of(1)
    dim[APEX] = (dim[APEX] * 0.7).astype(np.uint8)
    clips = [clip_of(crops_of(0)), clip_of(dim), clip_of(crops_of(2), None)]
    inputs = DeviceInputs(graphs.device() if graphs else Device("cpu"), most=4)
    for taken in (clips, clips[:1]):
        got = inputs.make(taken, spec).numpy()
        expected = np.stack([network_input(represent(clip, spec), spec) for clip in taken])
        assert got.shape == expected.shape
        assert_levels_close(got * 255, expected * 255)


@pytest.mark.parametrize(
    "spec",
    [ApexSpec(), FramesSpec(), AdmSpec(flow=FARNEBACK), MotionSpec(), Flow3Spec()],
    ids=["apex", "frames", "adm", "dis", "flow3"],
)
def test_what_has_no_device_version_is_the_cpus(spec: RepresentationSpec) -> None:
    clip = clip_of(crops_of())
    got = DeviceInputs(Device("cpu"), most=4).make([clip], spec).numpy()
    np.testing.assert_array_equal(got[0], network_input(represent(clip, spec), spec))


def test_what_the_device_makes() -> None:
    assert made_on_device(MotionSpec(flow=FARNEBACK))
    assert made_on_device(AdmSpec(flow=FARNEBACK, flow_px=112))
    assert not made_on_device(AdmSpec(flow=FARNEBACK, flow_px=100))
    assert not made_on_device(MotionSpec())
    assert not made_on_device(Flow3Spec(flow=FARNEBACK))
    assert not made_on_device(ApexSpec())


# Which flow


def test_a_card_says_which_flows_its_network_accepts() -> None:
    both = permitting("atnet", "dis", "farneback")
    taken = both.with_flow("farneback")
    methods = [getattr(i.representation, "flow", None) for i in taken.card.inputs]
    assert methods == [None, FARNEBACK]
    assert both.with_flow("dis") is both
    assert with_device_flow(both).card.inputs == taken.card.inputs


def test_a_card_that_permits_one_flow_keeps_it() -> None:
    strict = permitting("madtn")
    with pytest.raises(BundleError, match="madtn accepts dis flow, not farneback"):
        strict.with_flow("farneback")
    assert with_device_flow(strict) is strict


def test_a_network_without_flow_accepts_any() -> None:
    assert permitting("minet").with_flow("farneback").card.inputs == random_bundle("minet").card.inputs

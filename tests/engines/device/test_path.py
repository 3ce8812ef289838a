"""The device path on the CPU, where nothing is captured and everything else is the same code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support import fake_tensorrt
from support.random_bundles import random_bundle
from support.tolerances import TOLERANCES, assert_close

from mer_live.engines.bundle import Bundle
from mer_live.engines.device.graph import Replayed
from mer_live.engines.device.networks import EngineDeviceNetwork, TorchDeviceNetwork
from mer_live.engines.device.ops import adm_rows as device_adm_rows
from mer_live.engines.device.ops import flow_to_gray, pack_right, shrink
from mer_live.engines.device.path import DeviceConfig, DevicePath
from mer_live.engines.representation.adm import adm_row, adm_rows
from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.motion_image import flow_to_gray as cpu_flow_to_gray
from mer_live.engines.representation.motion_image import resize_gray
from mer_live.engines.representation.represent import network_input, represent
from mer_live.engines.representation.specs import AdmSpec, ApexSpec, FlowConfig, MotionSpec
from mer_live.engines.trt.onnx import engine_model
from mer_live.engines.trt.session import EngineSession

FARNEBACK = FlowConfig(method="farneback")
CPU = torch.device("cpu")
LENGTH, ONSET, APEX, OFFSET = 16, 2, 8, 14
torch.set_num_threads(1)


def bundle_of(name: str, **motion: Any) -> Bundle:
    """A random bundle whose card asks for Farneback flow."""
    bundle = random_bundle(name)
    inputs = tuple(
        i if isinstance(i.representation, ApexSpec) else replace(i, representation=changed(i, motion))
        for i in bundle.card.inputs
    )
    return Bundle(bundle.path, replace(bundle.card, inputs=inputs))


def changed(card: Any, motion: dict[str, Any]) -> Any:
    extra = motion if isinstance(card.representation, MotionSpec) else {"flow_px": 224}
    return replace(card.representation, flow=FARNEBACK, **extra)


def crops_of(seed: int = 0, length: int = LENGTH) -> NDArray[np.uint8]:
    """(T, 224, 224): a texture that moves with a smooth field, there and back; no two frames are equal."""
    rng = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(rng.standard_normal((224, 224)), (0, 0), s) for s in (1.5, 4.0, 12.0)]
    image = np.clip(128 + 30 * np.asarray(sum(a / a.std() for a in layers)), 0, 255).astype(np.uint8)
    fields = [cv2.GaussianBlur(rng.standard_normal((224, 224)), (0, 0), 25) for _ in range(2)]
    dx, dy = (2.0 * f / np.abs(f).max() for f in fields)
    y, x = np.mgrid[:224, :224]
    strength = np.sin(np.linspace(0, 2.9, length))
    moved = [
        cv2.remap(
            image,
            (x + s * dx).astype(np.float32),
            (y + s * dy).astype(np.float32),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )
        for s in strength
    ]
    return np.stack(moved).astype(np.uint8)


def path_of(bundles: list[Bundle], **config: Any) -> DevicePath:
    sizes = DeviceConfig(**{"capacity": 40, **config})
    return DevicePath([TorchDeviceNetwork(b, CPU) for b in bundles], "cpu", sizes)


def pushed(path: DevicePath, *cameras: NDArray[np.uint8]) -> DevicePath:
    for crops in zip(*cameras, strict=True):
        path.push(np.stack(crops), np.zeros(len(cameras), bool))
    return path


def clip_of(gray: NDArray[np.uint8], offset: int | None = OFFSET) -> Clip:
    stop = len(gray) if offset is None else offset + 1
    rows = adm_rows(gray[:stop], make_flow(FARNEBACK))
    return Clip(gray[:stop], np.arange(stop, dtype=np.int64), ONSET, APEX, offset, rows)


def assert_adm_close(got: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Magnitudes as they are; angles where the cell moves at all, around the circle."""
    assert_close("device-adm-px", got[..., 1::2], expected[..., 1::2])
    turn = np.angle(np.exp(1j * (got[..., 0::2] - expected[..., 0::2])))
    moving = expected[..., 1::2] > 0.01
    assert_close("device-adm-rad", turn[moving], np.zeros(moving.sum()))


def assert_levels_close(got: NDArray[Any], expected: NDArray[Any]) -> None:
    difference = np.abs(got.astype(float) - expected.astype(float))
    assert difference.mean() < TOLERANCES["device-gray-mean"].atol
    assert difference.max() <= TOLERANCES["device-gray-max"].atol


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


def test_packing_keeps_order_and_drops_zero_rows() -> None:
    rows = np.zeros((64, 128), np.float32)
    rows[[40, 50, 63]] = np.array([[1], [2], [3]])
    got = pack_right(torch.from_numpy(rows)).numpy()
    assert not got[:61].any()
    np.testing.assert_array_equal(got[61:, 0], [1, 2, 3])


def test_sizes_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be shrunk"):
        shrink(torch.zeros(1, 224, 224), 100)
    with pytest.raises(ValueError, match="does not divide"):
        device_adm_rows(torch.zeros(1, 2, 100, 100))


# The path


def test_every_frame_has_its_adm_row() -> None:
    gray = crops_of()
    path = pushed(path_of([bundle_of("atnet")]), gray)
    expected = adm_rows(gray, make_flow(FARNEBACK))
    assert_adm_close(np.concatenate([path.adm(k) for k in range(LENGTH)]), expected)


def test_new_anchor_gives_a_zero_row() -> None:
    gray = crops_of(length=4)
    path = path_of([bundle_of("atnet")])
    for k, crop in enumerate(gray):
        path.push(crop[None], np.array([k == 2]))
    assert [bool(path.adm(k).any()) for k in range(4)] == [False, True, False, True]


@pytest.mark.parametrize("offset", [OFFSET, None], ids=["final", "provisional"])
@pytest.mark.parametrize(
    "motion",
    [{}, {"scaling": "fixed", "middle": "centre"}, {"channels": ("onset", "face")}],
    ids=["paper", "fixed-centre", "ablation"],
)
def test_spot_equals_the_cpu(offset: int | None, motion: dict[str, Any]) -> None:
    gray = crops_of()[: LENGTH if offset else APEX + 2]
    bundles = [bundle_of("madtn", **motion), bundle_of("atnet")]
    path = pushed(path_of(bundles), gray)
    probs = path.recognize(0, ONSET, APEX, offset)
    clip = clip_of(gray, offset)
    expected = np.zeros(3)
    made = path.inputs()
    for bundle in bundles:
        inputs = {}
        for wanted in bundle.card.inputs:
            spec = wanted.representation
            array = network_input(represent(clip, spec), spec)[None]
            inputs[wanted.name] = array
            assert made[spec].shape == array.shape
            if isinstance(spec, AdmSpec):
                assert_adm_close(made[spec], array)
            else:
                scale = 1.0 if isinstance(spec, ApexSpec) else 255.0
                assert_levels_close(made[spec] * scale, array * scale)
        logits = TorchDeviceNetwork(bundle, CPU)({n: torch.from_numpy(a) for n, a in inputs.items()})
        expected += torch.softmax(logits.detach()[0], dim=0).numpy() / len(bundles)
    assert_close("device-probs", probs, expected)


def test_cameras_do_not_mix() -> None:
    cameras = [crops_of(seed) for seed in range(3)]
    bundles = [bundle_of("madtn"), bundle_of("atnet")]
    together = pushed(path_of(bundles, streams=3), *cameras)
    for k, gray in enumerate(cameras):
        alone = pushed(path_of(bundles), gray)
        assert_adm_close(together.adm(APEX)[k], alone.adm(APEX)[0])
        assert_close(
            "device-probs",
            together.recognize(k, ONSET, APEX, OFFSET),
            alone.recognize(0, ONSET, APEX, OFFSET),
        )


def test_ring_goes_round() -> None:
    gray = crops_of()
    bundles = [bundle_of("madtn"), bundle_of("atnet")]
    before = crops_of(7, 9)
    path = pushed(path_of(bundles, capacity=LENGTH), np.concatenate([before, gray]))
    straight = pushed(path_of(bundles), gray)
    # The first row differs (here a frame came before it), but the onset's row is not in the window.
    assert_close(
        "device-probs",
        path.recognize(0, 9 + ONSET, 9 + APEX, 9 + OFFSET),
        straight.recognize(0, ONSET, APEX, OFFSET),
    )
    with pytest.raises(ValueError, match="frame 8 is not in the ring"):
        path.recognize(0, 8, 9 + APEX, 9 + OFFSET)
    with pytest.raises(ValueError, match="frame 25 is not in the ring"):
        path.recognize(0, 9 + ONSET, 9 + APEX, 25)


def test_engines_give_what_torch_gives() -> None:
    gray = crops_of()
    bundles = [bundle_of("madtn"), bundle_of("atnet")]
    networks = [
        EngineDeviceNetwork(b, EngineSession(fake_tensorrt.library(), engine_model(b, "fp32"), CPU))
        for b in bundles
    ]
    engines = pushed(DevicePath(networks, "cpu", DeviceConfig(capacity=40)), gray)
    plain = pushed(path_of(bundles), gray)
    assert_close(
        "device-probs",
        engines.recognize(0, ONSET, APEX, OFFSET),
        plain.recognize(0, ONSET, APEX, OFFSET),
    )


def test_nothing_in_it_waits_for_the_device() -> None:
    """Both steady paths run on tensors without data: no value is read back, so a CUDA graph can hold them."""
    meta = torch.device("meta")
    networks = [TorchDeviceNetwork(bundle_of(name), meta) for name in ("madtn", "atnet")]
    path = DevicePath(networks, "meta", DeviceConfig(streams=2, capacity=8))
    path._step()
    assert path._answer().shape == (3,)


def test_what_the_device_cannot_do_is_refused_by_name() -> None:
    cases: list[tuple[list[Bundle], str]] = [
        ([], "At least one network"),
        ([random_bundle("madtn")], "'dis' flow, which has no device version"),
        ([bundle_of("ststnet")], "'flow3' has no device version"),
    ]
    for bundles, message in cases:
        with pytest.raises(ValueError, match=message):
            path_of(bundles)
    path = path_of([bundle_of("madtn")])
    with pytest.raises(ValueError, match="crops must be"):
        path.push(np.zeros((1, 112, 112), np.uint8), np.zeros(1, bool))
    with pytest.raises(ValueError, match="need 0 <= stream"):
        path.recognize(1, 0, 0, 0)


def test_without_capture_the_function_is_called_each_time() -> None:
    calls: list[int] = []
    replayed = Replayed(lambda: calls.append(1), device=CPU, capture=True)
    replayed()
    replayed()
    assert len(calls) == 2
    assert not replayed.captured

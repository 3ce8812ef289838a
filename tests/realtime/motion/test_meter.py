from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.moving_crops import crop_gray

from mer_live.realtime.motion.head_fit import HeadFit
from mer_live.realtime.motion.meter import MotionMeter
from mer_live.realtime.motion.regions import (
    CANONICAL,
    DEPTH,
    MEMBERSHIP,
    MIRROR,
    POINTS,
    REGIONS,
    STABLE,
    points_of,
    region,
)
from mer_live.realtime.types import FaceCrop, Motion

SIZE = 224
WARP = np.array([[1, 0, 0], [0, 1, 0]], np.float32)


def face(seed: int = 0) -> np.ndarray:
    """(320, 320) uint8 texture with detail at every scale, as skin and features have."""
    rng = np.random.default_rng(seed)
    image = np.zeros((320, 320), np.float64)
    for sigma in (2, 4, 8, 20):
        layer = cv2.GaussianBlur(rng.normal(0, 1, image.shape), (0, 0), sigma)
        image += layer / layer.std() * sigma**0.5
    return np.clip(128 + 14 * image, 0, 255).astype(np.uint8)


def shown(image: np.ndarray, field: np.ndarray | None = None, matrix: np.ndarray | None = None) -> np.ndarray:
    """The middle (224, 224) of the texture after a displacement field (224, 224, 2) or a rigid warp."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    if matrix is not None:
        inverse = cv2.invertAffineTransform(matrix)
        x, y = (inverse[k, 0] * x + inverse[k, 1] * y + inverse[k, 2] for k in (0, 1))
    if field is not None:
        x, y = x - field[..., 0], y - field[..., 1]
    out = cv2.remap(image, (x + 48).astype(np.float32), (y + 48).astype(np.float32), cv2.INTER_CUBIC)
    return np.asarray(out, np.uint8)


def bump(centre: np.ndarray, sigma: float, move: tuple[float, float]) -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE]
    weight = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 2 / sigma**2)
    return (weight[..., None] * np.array(move)).astype(np.float32)


def crop(
    gray: np.ndarray, index: int, anchor: int = 1, warp: np.ndarray = WARP, fps: float = 100
) -> FaceCrop:
    return FaceCrop(index, round(index * 1e9 / fps), gray, warp, None, anchor)


def measure(images: list[np.ndarray], fps: float = 100) -> list[Motion]:
    meter = MotionMeter()
    return [meter.update(crop(image, i, fps=fps)) for i, image in enumerate(images)]


def brow_move(px: float) -> np.ndarray:
    centre = CANONICAL[np.isin(POINTS, [107, 55, 66, 65])].mean(0)
    return bump(centre, 14, (0.0, -px))


def test_regions_are_symmetric() -> None:
    assert [MIRROR[MIRROR[k]] for k in range(len(REGIONS))] == list(range(len(REGIONS)))
    assert REGIONS[MIRROR[REGIONS.index("mouth_left")]] == "mouth_right"
    assert points_of(None, SIZE).shape == (len(POINTS), 2)
    assert points_of(None, 112).max() <= 104


def test_a_still_face_does_not_move() -> None:
    noise = np.random.default_rng(1)
    image = shown(face()).astype(np.float64)
    images = [np.clip(image + noise.normal(0, 2, image.shape), 0, 255).astype(np.uint8) for _ in range(5)]
    last = measure(images)[-1]
    assert np.abs(last.regions).max() < 0.15
    assert np.abs(last.head[:2]).max() < 0.1


@pytest.mark.parametrize("px", [0.5, 1.5, 3.0])
def test_a_moving_brow_is_measured_at_its_true_size(px: float) -> None:
    image = face()
    fields = [brow_move(px * k / 4) for k in range(5)]
    last = measure([shown(image, f) for f in fields])[-1]
    k = REGIONS.index("brow_inner_right")
    at = np.rint(CANONICAL[MEMBERSHIP[k] > 0]).astype(int)
    true = float(fields[-1][at[:, 1], at[:, 0], 1].mean())
    assert last.regions[k, 1] == pytest.approx(true, rel=0.2, abs=0.05)
    others = region("mouth", "chin", "nose", "under_eye_left")
    assert np.abs(last.regions[others]).max() < 0.12 + 0.04 * px


def test_head_motion_is_removed() -> None:
    image = face()
    images = []
    for k in range(5):
        matrix = cv2.getRotationMatrix2D((111.5, 111.5), 0.4 * k, 1 + 0.003 * k)
        matrix[:, 2] += (0.8 * k, -0.5 * k)
        images.append(shown(image, matrix=matrix))
    last = measure(images)[-1]
    assert np.abs(last.regions).max() < 0.2
    assert last.head[:2] == pytest.approx([3.2, -2.0], abs=0.3)
    assert last.head[2] == pytest.approx(-np.deg2rad(1.6), abs=0.01)
    assert last.head[3] == pytest.approx(np.log(1.012), abs=0.004)


def test_a_small_turn_of_the_head_is_no_expression() -> None:
    turn = np.zeros((len(POINTS), 2))
    turn[:, 0] = 0.04 * DEPTH
    _, residual = HeadFit(CANONICAL, SIZE)(turn, STABLE + 0.02)
    assert np.abs(residual).max() < 0.1 * np.abs(turn).max()


def test_displacement_goes_on_over_a_new_anchor() -> None:
    image = face()
    meter = MotionMeter()
    for k in range(5):
        before = meter.update(crop(shown(image, brow_move(0.5 * k)), k))
    shift = np.array([[1, 0, 4], [0, 1, -3]], np.float32)
    moved = cv2.warpAffine(shown(image, brow_move(2.0)), shift, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    after = meter.update(crop(moved, 5, anchor=2, warp=shift))
    k = REGIONS.index("brow_inner_right")
    assert after.regions[k, 1] == pytest.approx(before.regions[k, 1], abs=0.35)
    assert np.abs(after.head[:2]).max() < 0.5


def test_a_mirrored_face_moves_mirrored() -> None:
    image = face()
    images = [shown(image, brow_move(0.6 * k)) for k in range(4)]
    plain = measure(images)[-1]
    other = measure([np.ascontiguousarray(i[:, ::-1]) for i in images])[-1]
    expected = plain.regions[list(MIRROR)] * np.array([-1, 1])
    assert other.regions == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("gain", [0.8, 1.2])
def test_brightness_does_not_matter(gain: float) -> None:
    image = np.clip(face().astype(np.float64) * 0.7 + 10, 0, 200).astype(np.uint8)
    images = [shown(image, brow_move(0.6 * k)) for k in range(4)]
    plain = measure(images)[-1]
    other = measure([np.clip(i * gain, 0, 255).astype(np.uint8) for i in images])[-1]
    assert other.regions == pytest.approx(plain.regions, abs=0.06)


def test_a_flickering_lamp_does_not_move_the_face() -> None:
    image = shown(face()).astype(np.float64) * 0.7
    images = [np.clip(image * (1 + 0.15 * (-1) ** k), 0, 255).astype(np.uint8) for k in range(6)]
    assert np.abs(measure(images)[-1].regions).max() < 0.1


def test_a_gap_starts_at_zero() -> None:
    image = face()
    meter = MotionMeter()
    meter.update(crop(shown(image), 0))
    meter.update(crop(shown(image, brow_move(2.0)), 1))
    late = meter.update(crop(shown(image, brow_move(1.0)), 60))
    assert not late.regions.any()
    assert late.adm is None


def test_wrong_use_is_refused() -> None:
    meter = MotionMeter()
    with pytest.raises(ValueError, match="224"):
        meter.update(crop(np.zeros((112, 112), np.uint8), 0))
    meter.update(crop(shown(face()), 5))
    with pytest.raises(ValueError, match="order"):
        meter.update(crop(shown(face()), 5))


def test_the_size_of_the_frame_does_not_matter() -> None:
    scene = cv2.resize(face(), (640, 640), interpolation=cv2.INTER_CUBIC)
    seen = []
    for side in (640, 480):
        scale = side / 640
        frame = cv2.cvtColor(
            cv2.resize(scene, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2BGR
        )
        warp = np.array([[0.5 / scale, 0, -48], [0, 0.5 / scale, -48]], np.float32)
        meter = MotionMeter()
        y, x = np.mgrid[:side, :side].astype(np.float32)
        centre = (CANONICAL[np.isin(POINTS, [107, 55, 66, 65])].mean(0) + 48) * 2 * scale
        weight = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 2 / (28 * scale) ** 2)
        for k in range(4):
            moved = cv2.remap(frame, x, y + np.float32(1.2 * k * scale) * weight, cv2.INTER_CUBIC)
            gray = crop_gray(np.asarray(moved, np.uint8), warp)
            last = meter.update(crop(gray, k, warp=warp))
        seen.append(last.regions)
    k = REGIONS.index("brow_inner_right")
    assert seen[0][k, 1] < -0.8
    assert seen[1] == pytest.approx(seen[0], abs=0.2)

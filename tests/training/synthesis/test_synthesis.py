"""What is rendered is what the truth says: displacement, times, classes, people."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.moving_crops import crop_gray

from mer_live.realtime.types import CLASSES
from mer_live.training.synthesis.camera import Camera, Light, Sensor
from mer_live.training.synthesis.clips import Take, render_clip
from mer_live.training.synthesis.faces.action_units import ACTION_UNITS, MIRROR
from mer_live.training.synthesis.faces.actions import build_action, draw_action
from mer_live.training.synthesis.faces.face_model import (
    FacePhoto,
    build_model,
    list_subjects,
    load_photo,
    split_of,
)
from mer_live.training.synthesis.inject import Injector
from mer_live.training.synthesis.render import FaceRenderer, FaceState
from mer_live.training.synthesis.timeline import (
    DISTRACTORS,
    Pulse,
    draw_distractor,
    draw_pulse,
)

CLEAN = Take(100.0, 300.0, Light(), Sensor(), 0.0, np.zeros(4))


@pytest.fixture(scope="module")
def photo(faces: Path) -> FacePhoto:
    return load_photo(faces, "031")


@pytest.fixture(scope="module")
def renderer(photo: FacePhoto) -> FaceRenderer:
    model = build_model(photo, density=2.0)
    rng = np.random.default_rng(0)
    return FaceRenderer(model, [build_action(model, {n: 1.0}, rng) for n in sorted(ACTION_UNITS)])


def tracked(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corner positions in a and their displacement to b, by a tracker that knows nothing of the renderer."""
    points = cv2.goodFeaturesToTrack(a, 300, 0.003, 4)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(a, b, points, None, winSize=(9, 9), maxLevel=1)
    back, again, _ = cv2.calcOpticalFlowPyrLK(b, a, moved, None, winSize=(9, 9), maxLevel=1)
    keep = ((found & again) == 1)[:, 0] & (np.linalg.norm(back - points, axis=2)[:, 0] < 0.1)
    return points[keep, 0], (moved - points)[keep, 0]


@pytest.mark.parametrize("label", CLASSES)
@pytest.mark.parametrize("intensity", [0.5, 2.0])
def test_rendered_displacement_is_the_truth(photo: FacePhoto, label: str, intensity: float) -> None:
    made = render_clip(
        photo, np.random.default_rng(4), label=label, intensity_px=intensity, take=CLEAN,
        distractors=0, sway=0, with_flow=True,
    )  # fmt: skip
    assert made.flow is not None
    assert np.linalg.norm(made.flow, axis=-1).max() == pytest.approx(intensity, rel=0.06)
    clip = made.clip
    points, seen = tracked(clip.gray[clip.onset], clip.gray[clip.apex])
    at = np.round(points).astype(int)
    true = made.flow[at[:, 1], at[:, 0]]
    strong = np.linalg.norm(true, axis=1) > 0.3 * intensity
    assert strong.sum() >= 5
    error = np.linalg.norm(seen - true, axis=1)
    assert np.median(error[strong]) < 0.06 + 0.14 * intensity  # most of it the tracker's own
    gain = (seen * true)[strong].sum() / (true * true)[strong].sum()
    assert 0.8 < gain < 1.15
    still = np.linalg.norm(true, axis=1) < 0.02 * intensity
    assert np.median(error[still]) < 0.03


def test_motion_starts_and_ends_on_the_true_frames(photo: FacePhoto) -> None:
    made = render_clip(photo, np.random.default_rng(1), take=CLEAN, intensity_px=2, distractors=0, sway=0)
    clip, gray = made.clip, made.clip.gray.astype(int)
    change = np.abs(gray - gray[0]).mean(axis=(1, 2))
    assert change[: clip.onset + 1].max() == 0
    assert clip.offset is not None
    assert change[clip.offset :].max() == 0
    assert change[clip.onset + 3 : clip.offset - 3].min() > 0  # a raised cosine starts below a gray level
    assert abs(int(np.argmax(change)) - clip.apex) <= 3
    assert made.truth.span.onset.t_ns < made.truth.span.apex.t_ns < made.truth.span.end.t_ns


def test_same_seed_same_clip(photo: FacePhoto) -> None:
    a, b = (render_clip(photo, np.random.default_rng(9), fps=50) for _ in range(2))
    assert np.array_equal(a.clip.gray, b.clip.gray)
    assert a.truth == b.truth
    assert not np.array_equal(
        a.clip.gray[0], render_clip(photo, np.random.default_rng(10), fps=50).clip.gray[0]
    )


def test_rest_is_the_photograph(renderer: FaceRenderer) -> None:
    rest = FaceState((0.0,) * len(renderer.actions))
    assert np.array_equal(renderer.render(rest), renderer.model.texture)
    assert not renderer.flow(rest).any()


def test_every_action_unit_moves_its_own_part_only(renderer: FaceRenderer) -> None:
    for k in range(len(renderer.actions)):
        amounts = [0.0] * len(renderer.actions)
        amounts[k] = 1.5
        size = np.linalg.norm(renderer.flow(FaceState(tuple(amounts))), axis=-1)
        assert 0.7 < size.max() < 2.2
        assert (size > 0.3).mean() < 0.45
        assert size[:6].max() < 0.35  # the hairline


def test_a_blink_closes_the_eyes_and_nothing_else(renderer: FaceRenderer) -> None:
    rest = (0.0,) * len(renderer.actions)
    open_eyes = renderer.render(FaceState(rest)).astype(int)
    closed = renderer.render(FaceState(rest, closure=1.0)).astype(int)
    changed = np.abs(closed - open_eyes) > 0
    rows = np.flatnonzero(changed.any(axis=1))
    k, top = renderer.model.density, renderer.model.margin[1]
    brow, nose = renderer.model.landmarks[105, 1], renderer.model.landmarks[4, 1]
    assert (brow - 10 + top) * k < rows.min()
    assert rows.max() < (nose + top) * k
    iris = renderer.model.to_texture @ np.append(renderer.model.landmarks[468], 1)
    x, y = np.round(iris).astype(int)
    # Skin is brighter than the iris and pupil.
    assert closed[y - 6 : y + 6, x - 6 : x + 6].mean() > open_eyes[y - 6 : y + 6, x - 6 : x + 6].mean() + 15


def test_the_jaw_takes_the_chin_along_and_leaves_the_eyes(renderer: FaceRenderer) -> None:
    flow = renderer.flow(FaceState((0.0,) * len(renderer.actions), jaw=4.0))
    x, y = np.round(renderer.model.landmarks[199]).astype(int)
    assert flow[y, x, 1] == pytest.approx(4.0, abs=0.6)
    assert np.abs(flow[: int(renderer.model.landmarks[2, 1])]).max() < 0.2


def test_classes_move_as_they_are_named(photo: FacePhoto) -> None:
    """Surprise lifts the brows, a frown lowers them, a smile pulls the mouth's corners up, the cheeks out."""
    model = build_model(photo, density=1.0)
    rng = np.random.default_rng(2)

    def at(units: dict[int, float], landmark: int) -> np.ndarray:
        action = build_action(model, units, rng)
        flow = FaceRenderer(model, [action]).flow(FaceState((2.0,)))
        x, y = np.round(model.landmarks[landmark]).astype(int)
        return flow[y, x]

    assert at({1: 1, 2: 1}, 105)[1] < -0.8
    assert at({4: 1}, 107)[1] > 0.5
    assert at({4: 1}, 107)[0] > 0.2  # toward the other brow
    assert at({12: 1}, 123)[0] < -0.4  # the cheeks
    assert at({12: 1}, 352)[0] > 0.4
    assert max(at({12: 1}, 61)[1], at({12: 1}, 291)[1]) < -0.4
    assert at({15: 1}, 61)[1] > 0.8


def test_a_crop_is_cut_as_live(photo: FacePhoto) -> None:
    """The quick gray path gives what the live crop makes of the same frame in colour."""
    gray = cv2.cvtColor(photo.image, cv2.COLOR_BGR2GRAY)[:300, :300]
    warp = np.array([[0.9, 0.05, 4], [-0.05, 0.9, 20]], np.float32)
    live = crop_gray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), warp)
    quick = cv2.warpAffine(gray, warp, (224, 224), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(live.astype(int) - quick).max() <= 1


def test_injection_moves_the_skin_and_leaves_the_rest(photo: FacePhoto) -> None:
    injector = Injector(photo.landmarks, np.random.default_rng(3), label="surprise")
    assert np.array_equal(injector.inject(photo.image, injector.anchor, 0.0), photo.image)
    moved = injector.inject(photo.image, injector.anchor, 2.0)
    warp = injector.anchor.astype(np.float32)
    points, seen = tracked(crop_gray(photo.image, warp), crop_gray(moved, warp))
    at = np.round(points).astype(int)
    true = 2.0 * injector.field[at[:, 1], at[:, 0]]
    strong = np.linalg.norm(true, axis=1) > 0.6
    gain = (seen * true)[strong].sum() / (true * true)[strong].sum()
    assert 0.8 < gain < 1.2
    assert np.array_equal(moved[:100], photo.image[:100])


def test_injection_follows_the_head(photo: FacePhoto) -> None:
    """A shifted frame with its shifted similarity gets the shifted result."""
    injector = Injector(photo.landmarks, np.random.default_rng(3), label="positive")
    still = injector.inject(photo.image, injector.anchor, 2.0)
    shifted = np.roll(photo.image, (6, 10), (0, 1))
    to_crop = injector.anchor.copy()
    to_crop[:, 2] -= to_crop[:, :2] @ [10, 6]
    moved = injector.inject(shifted, to_crop, 2.0)
    difference = np.abs(np.roll(moved, (-6, -10), (0, 1)).astype(int) - still)[60:-60, 60:-60]
    assert np.percentile(difference, 99.9) <= 2


def test_head_motion_moves_the_landmarks_with_the_picture(photo: FacePhoto) -> None:
    model = build_model(photo, density=2.0)
    placement = np.array([[1.0, 0, 14], [0, 1, 14]])
    camera = Camera(model, (252, 252), placement, Light(), Sensor(), np.random.default_rng(0))
    rest, turned = np.zeros(4), np.array([1.6, -0.7, 0.01, 0.005])
    a, b = (camera.film(model.texture, pose, 0.0) for pose in (rest, turned))
    points, seen = tracked(a, b)
    change = camera.matrix(turned) @ np.linalg.inv(np.vstack([camera.matrix(rest), [0, 0, 1]]))
    expected = points @ change[:, :2].T + change[:, 2] - points
    error = np.linalg.norm(seen - expected, axis=1)
    assert np.median(error) < 0.06


def test_noise_and_light_do_what_they_say() -> None:
    flat = FacePhoto("x", np.full((400, 400, 3), 128, np.uint8), _oval())
    model = build_model(flat, density=1.0)
    placement = np.array([[1.0, 0, 0], [0, 1, 0]])

    def film(light: Light, sensor: Sensor, t: float = 0.0) -> np.ndarray:
        camera = Camera(model, (224, 224), placement, light, sensor, np.random.default_rng(1))
        return camera.film(model.texture, np.zeros(4), t).astype(float)

    assert film(Light(), Sensor()).std() == 0
    assert film(Light(), Sensor(read_noise=3.0, shot_noise=4.0)).std() == pytest.approx(5.0, rel=0.05)
    assert film(Light(gain=1.2), Sensor()).mean() == pytest.approx(153.6, abs=1)
    light = Light(flicker=0.1, flicker_hz=1.0)
    assert film(light, Sensor(), 0.25).mean() > film(light, Sensor(), 0.75).mean() + 20


def _oval() -> np.ndarray:
    points = np.full((478, 2), 200.0, np.float32)
    points[10], points[152], points[234], points[454] = (200, 80), (200, 320), (100, 200), (300, 200)
    points[[33, 133, 362, 263]] = [(140, 180), (170, 180), (230, 180), (260, 180)]
    return points


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), onset=st.floats(0, 5), longest=st.sampled_from([0.3, 0.5]))
def test_pulses_are_micro(seed: int, onset: float, longest: float) -> None:
    p = draw_pulse(np.random.default_rng(seed), onset, longest_s=longest)
    assert 0.06 - 1e-9 <= p.offset_s - p.onset_s <= longest + 1e-9
    assert p.onset_s < p.peak_s <= p.apex_s <= p.release_s < p.offset_s
    assert p.release_s - p.peak_s <= 0.2 + 1e-9
    assert p.at(p.apex_s) == pytest.approx(1)
    assert p.at(p.onset_s) == p.at(p.offset_s) == 0
    times = np.linspace(p.onset_s, p.peak_s, 20)
    assert all(np.diff([p.at(t) for t in times]) >= 0)


@pytest.mark.parametrize("fps", [25.0, 200.0])
def test_truth_frames_bracket_the_truth_in_seconds(fps: float) -> None:
    pulse = Pulse(0.503, 0.61, 0.63, 0.9017)
    span = pulse.span(fps)
    assert span.onset.frame / fps <= 0.503 < (span.onset.frame + 1) / fps
    assert (span.end.frame - 1) / fps < 0.9017 <= span.end.frame / fps
    assert abs(span.apex.frame / fps - 0.62) <= 0.5 / fps + 1e-9
    assert span.apex.t_ns == 620_000_000
    assert pulse.span(fps, 5).end.frame == 4


def test_distractors_are_drawn_for_every_kind_and_macro_is_long() -> None:
    rng = np.random.default_rng(0)
    for kind in DISTRACTORS:
        for _ in range(30):
            d = draw_distractor(rng, kind, 1.0, 3)
            assert d.pulse.onset_s == 1.0
            assert d.pulse.onset_s < d.pulse.peak_s <= d.pulse.release_s < d.pulse.offset_s
            length = d.pulse.offset_s - d.pulse.onset_s
            assert kind != "macro" or length > 0.5
            assert kind != "blink" or 0.15 <= length <= 0.45
    with pytest.raises(ValueError, match="action"):
        draw_distractor(rng, "macro", 0.0)


def test_every_anchor_has_a_mirror_partner() -> None:
    used = {a for unit in ACTION_UNITS.values() for bump in unit.bumps for a in bump.anchors}
    assert used <= set(MIRROR)


def test_bad_requests_say_what_is_wrong(photo: FacePhoto, tmp_path: Path) -> None:
    model = build_model(photo, density=1.0)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="action units must be among"):
        build_action(model, {99: 1.0}, rng)
    with pytest.raises(ValueError, match="label must be one of"):
        draw_action(model, "joy", rng)
    with pytest.raises(ValueError, match="no face photographs"):
        list_subjects(tmp_path)
    (tmp_path / "a_neutral.jpg").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a readable image"):
        load_photo(tmp_path, "a")
    cv2.imwrite(str(tmp_path / "b_neutral.png"), np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(ValueError, match="no face was found"):
        load_photo(tmp_path, "b")
    with pytest.raises(ValueError, match="density"):
        build_model(photo, density=0)


def test_people_keep_to_their_split(shared_data: Path) -> None:
    people = list_subjects(shared_data / "faces")
    counts = {s: sum(split_of(p) == s for p in people) for s in ("train", "val", "test")}
    assert sum(counts.values()) == len(people) == 72
    assert counts["train"] > 40
    assert min(counts["val"], counts["test"]) >= 8
    assert all(split_of(p) == split_of(p) for p in people)

from __future__ import annotations

import numpy as np
import pytest
from support.face_meshes import mesh

from mer_live.realtime.face.detection import InlineLandmarks
from mer_live.realtime.face.finder import FaceFinder
from mer_live.realtime.face.landmarks import FaceDetection
from mer_live.realtime.face.tracker import FaceTracker
from mer_live.realtime.types import FaceCrop, Frame

MS = 1_000_000


class Scene:
    """Who is where, on a canvas whose pixels tell their place, so that a look sees only what lies in it."""

    def __init__(self, width: int = 640, height: int = 480) -> None:
        y, x = np.mgrid[0:height, 0:width]
        self.image = np.stack([x % 256, y % 256, x // 256 + 16 * (y // 256)], axis=-1).astype(np.uint8)
        self.people: list[np.ndarray] = []
        self.looks: list[tuple[int, int]] = []

    def detect_rgb(self, image_rgb: np.ndarray) -> tuple[FaceDetection, ...]:
        high, y, x = (int(value) for value in image_rgb[0, 0])
        left, top = x + 256 * (high % 16), y + 256 * (high // 16)
        height, width = image_rgb.shape[:2]
        self.looks.append((width, height))
        origin = np.array([left, top], np.float32)
        seen = (
            one
            for one in self.people
            if (np.abs(one.mean(axis=0) - origin - [width / 2, height / 2]) < [width / 2, height / 2]).all()
        )
        return tuple(FaceDetection(one - origin) for one in seen)

    def confirm(self, image_rgb: np.ndarray, face: FaceDetection) -> FaceDetection:
        return face

    def close(self) -> None:
        pass


def follow(
    scene: Scene, script: dict[int, list[np.ndarray]], frames: int, faces: int, deterministic: bool = True
) -> list[list[FaceCrop | None]]:
    """Crops of each place; ``script`` says from which frame on who is where, 10 ms a frame."""
    finder = FaceFinder(
        50 * MS, deterministic=deterministic, open_landmarks=lambda: InlineLandmarks(lambda: scene)
    )
    trackers = [FaceTracker(finder) for _ in range(faces)]
    rows: list[list[FaceCrop | None]] = []
    with trackers[0]:
        for k in range(frames):
            scene.people = script.get(k, scene.people)
            rows.append([tracker.crop(Frame(k, k * 10 * MS, scene.image)) for tracker in trackers])
    return [list(column) for column in zip(*rows, strict=True)]


def centre(crop: FaceCrop | None) -> float:
    """x of the face, frame px; 0 without one."""
    if crop is None:
        return 0.0
    return float((np.linalg.inv(crop.warp[:, :2]) @ ([111.5, 111.5] - crop.warp[:, 2]))[0])


LEFT, RIGHT = mesh(160, 240, 120), mesh(480, 240, 100)


@pytest.mark.parametrize("deterministic", [True, False])
def test_each_place_keeps_its_own_face_by_the_looks_of_one(deterministic: bool) -> None:
    script = {k: [LEFT, RIGHT] if k % 2 else [RIGHT, LEFT] for k in range(60)}
    alone, both = Scene(), Scene()
    follow(alone, {0: [LEFT]}, 60, 1, deterministic)
    first, second = follow(both, script, 60, 2, deterministic)
    assert {round(centre(crop), -1) for crop in first[2:]} == {160}
    assert {round(centre(crop), -1) for crop in second[2:]} == {480}
    assert [crop.person for crop in (first[-1], second[-1]) if crop] == [1, 2]
    assert len(both.looks) == len(alone.looks)


def test_one_person_is_followed_as_if_one_were_asked_for() -> None:
    script = {0: [LEFT], 20: [mesh(190, 250, 120)], 40: [], 75: [mesh(190, 250, 118)]}
    (alone,) = follow(Scene(), script, 120, 1)
    first, second = follow(Scene(), script, 120, 2)
    assert not any(second)
    for one, other in zip(alone, first, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert (one.anchor, one.person) == (other.anchor, other.person)
            np.testing.assert_array_equal(one.gray, other.gray)


def test_faces_far_apart_take_turns_and_neither_is_lost() -> None:
    scene = Scene(1920, 480)
    near, far = mesh(150, 240, 100), mesh(1750, 240, 100)
    first, second = follow(scene, {0: [near, far]}, 100, 2)
    assert all(first[2:])
    assert all(second[2:])
    assert set(scene.looks[1:]) == {(400, 400)}
    assert 30 < len(scene.looks) < 42  # each nearly as often as if it were alone


def test_who_comes_later_takes_a_free_place_and_who_comes_back_the_own() -> None:
    script = {0: [LEFT], 100: [LEFT, RIGHT], 300: [LEFT], 400: [LEFT, RIGHT]}
    first, second = follow(Scene(), script, 560, 2)
    assert all(crop is not None and crop.person == 1 for crop in first)
    assert not any(second[:100])
    assert second[210] is not None  # looked for once a second
    assert not any(second[330:400])
    back = second[-1]
    assert back is not None
    assert back.person == 2


def test_a_bystander_too_small_to_be_read_takes_no_place() -> None:
    first, second = follow(Scene(), {0: [LEFT, mesh(500, 200, 60)]}, 150, 2)
    assert all(first)
    assert not any(second)

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.face_meshes import mesh, on_canvas

from mer_live.realtime.face.anchor import face_width
from mer_live.realtime.face.choice import choose_face
from mer_live.realtime.face.finder import FaceFinder
from mer_live.realtime.face.landmark_thread import LandmarkThread
from mer_live.realtime.face.landmarks import FaceDetection
from mer_live.realtime.face.tracker import FaceTracker
from mer_live.realtime.types import FaceCrop, Frame

MS = 1_000_000
_Y, _X = np.mgrid[0:400, 0:400]
IMAGE = np.stack([_X // 2, _Y // 2, 4 * ((_X + _Y) % 50) + _X % 2 + 2 * (_Y % 2)], axis=-1).astype(np.uint8)
"""Each pixel tells where it lies, so that a detector can find out which region it was given."""
IMAGE.flags.writeable = False

Faces = list[np.ndarray]


class Script:
    """A detector that gives the next entry of a list per call and repeats the last."""

    def __init__(
        self, *answers: Faces | Exception, gate: threading.Semaphore | None = None, delay_s: float = 0
    ) -> None:
        self.answers = list(answers)
        self.delay_s = delay_s
        self.gate = gate
        self.calls = self.made = self.closed = 0

    def make(self) -> Script:
        self.made += 1
        return self

    def detect_rgb(self, image_rgb: np.ndarray) -> tuple[FaceDetection, ...]:
        if self.gate is not None:
            self.gate.acquire()
        time.sleep(self.delay_s)
        answer = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        if isinstance(answer, Exception):
            raise answer
        parity, y, x = (int(value) for value in image_rgb[0, 0])
        origin = np.array([2 * x + parity % 2, 2 * y + parity // 2 % 2], np.float32)
        return tuple(FaceDetection(landmarks - origin) for landmarks in answer)

    def confirm(self, image_rgb: np.ndarray, face: FaceDetection) -> FaceDetection:
        return face

    def close(self) -> None:
        self.closed += 1


def beside(script: Script) -> Callable[[], LandmarkThread]:
    return lambda: LandmarkThread(script.make)


def run(script: Script, frames: int, step_ms: int = 10) -> tuple[list[FaceCrop | None], list[str]]:
    crops, states = [], []
    with FaceTracker(FaceFinder(50 * MS, deterministic=True, open_landmarks=beside(script))) as tracker:
        for k in range(frames):
            crops.append(tracker.crop(Frame(k, k * step_ms * MS, IMAGE)))
            states.append(tracker.status)
    return crops, states


def anchors(crops: list[FaceCrop | None]) -> list[int]:
    return [crop.anchor if crop is not None else 0 for crop in crops]


def test_a_file_is_cropped_from_its_first_frame() -> None:
    crops, states = run(Script([mesh()]), 20)
    assert anchors(crops) == [1] * 20
    assert set(states) == {"ok"}
    first = crops[0]
    assert first is not None
    assert first.landmarks is not None
    assert not first.gray.flags.writeable
    assert np.abs(first.landmarks[[10, 152], 0] - 111.5).max() < 0.1


def test_a_file_s_answer_takes_effect_one_period_after_its_frame() -> None:
    moved = mesh(260, 200)
    crops, _ = run(Script([mesh()], [mesh()], [moved]), 30)
    # The frame at 100 ms is the first that shows the movement; its answer counts from 150 ms on, and at
    # 200 ms it is the majority of the median.
    assert anchors(crops) == [1] * 20 + [2] * 10


def test_slow_landmarks_change_nothing_in_a_file() -> None:
    answers: list[Faces] = [[mesh(200 + 4 * k, 200)] for k in range(12)]
    quick, _ = run(Script(*answers), 60)
    slow, _ = run(Script(*answers, delay_s=0.01), 60)
    assert anchors(quick) == anchors(slow)
    for one, two in zip(quick, slow, strict=True):
        assert one is not None
        assert two is not None
        np.testing.assert_array_equal(one.gray, two.gray)


def test_a_camera_never_waits_for_landmarks() -> None:
    gate = threading.Semaphore(0)
    script = Script([mesh()], gate=gate)
    with FaceTracker(FaceFinder(deterministic=False, open_landmarks=beside(script))) as tracker:
        for k in range(50):  # returns although no landmarks can come
            assert tracker.crop(Frame(k, k * 5 * MS, IMAGE)) is None
        assert tracker.status == "searching"
        assert script.calls == 0
        gate.release(1000)
        k = 50
        while tracker.crop(Frame(k, k * 5 * MS, IMAGE)) is None:
            k += 1
        assert tracker.status == "ok"


def test_out_receives_the_crop() -> None:
    history = np.zeros((2, 224, 224), np.uint8)
    with FaceTracker(FaceFinder(deterministic=True, open_landmarks=beside(Script([mesh()])))) as tracker:
        crop = tracker.crop(Frame(0, 0, IMAGE), history[1])
        assert crop is not None
        assert np.shares_memory(crop.gray, history[1])
        assert history[1].any()
        other = tracker.crop(Frame(1, MS, IMAGE))
        assert other is not None
        np.testing.assert_array_equal(other.gray, history[1])
        assert other.warp is crop.warp


def test_nobody_then_somebody_then_nobody_then_back() -> None:
    # The first frame is looked at both ways up.
    script = Script([], [], [mesh()], *[[] for _ in range(8)], [mesh()])
    crops, states = run(script, 70)
    # Nobody at 0 ms; seen at 50 and cropped on the spot; lost at 100 ms, held for 200 ms, back later.
    assert states[0] == "none"
    assert anchors(crops)[:5] == [0] * 5
    assert anchors(crops)[5] == 1
    held = anchors(crops).count(1)
    assert 15 <= held <= 30
    assert "none" in states[10:]
    assert anchors(crops)[-1] == 2


def test_a_short_loss_keeps_the_anchor() -> None:
    crops, states = run(Script([mesh()], [mesh()], [], [], [mesh()]), 60)
    assert anchors(crops) == [1] * 60
    assert set(states) == {"ok"}


def test_a_small_face_is_reported_and_not_analysed() -> None:
    small, grown = mesh(width=60), mesh(width=90)
    crops, states = run(Script([small], [small], [grown]), 40)
    assert states[0] == "small"
    assert crops[0] is None
    assert states[-1] == "ok"
    assert crops[-1] is not None


def test_a_face_that_shrinks_is_given_up_and_anchored_anew() -> None:
    answers: list[Faces] = [[mesh(width=w)] for w in (100, 82, 78, 60, 60, 100)]
    crops, states = run(Script(*answers), 60)
    assert "small" in states
    assert states[-1] == "ok"
    assert crops[-1] is not None
    seen = anchors(crops)
    assert seen[-1] > max(seen[: states.index("small")])


def test_the_largest_face_first_and_then_the_same_one() -> None:
    left, right = mesh(120, 200, 90), mesh(300, 200, 110)
    grown = mesh(120, 200, 150)
    crops, _ = run(Script([left, right], [right, left], [grown, right], [grown, right]), 40)
    assert anchors(crops) == [1] * 40
    assert crops[-1] is not None
    centre = crops[-1].warp[:, :2] @ (300, 200) + crops[-1].warp[:, 2]
    np.testing.assert_allclose(centre, (111.5, 111.5), atol=15)


def test_when_the_followed_face_leaves_the_other_is_taken() -> None:
    left, right = mesh(100, 200, 90), mesh(300, 200, 110)
    crops, states = run(Script([left, right], [left]), 60)
    assert anchors(crops)[0] == 1
    assert anchors(crops)[-1] == 2
    assert states[-1] == "ok"


def test_choose_face_is_none_when_only_strangers_are_there() -> None:
    far = FaceDetection(mesh(350, 350, 60))
    assert choose_face((far,), mesh(100, 100, 60)) is None
    assert choose_face((), None) is None
    assert choose_face((far,), None) is far


def test_a_broken_landmarker_is_rebuilt_and_the_path_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    broken = RuntimeError("graph died")
    script = Script([mesh()], broken, [mesh()], broken, broken, [mesh()])
    crops, states = run(script, 60)
    assert anchors(crops) == [1] * 60
    assert set(states) == {"ok"}
    assert script.made == 4
    assert "restarting" in caplog.text


def test_a_landmarker_that_stays_broken_finds_nobody_and_a_closed_tracker_says_so() -> None:
    script = Script(RuntimeError("graph died"))
    with FaceTracker(FaceFinder(deterministic=True, open_landmarks=beside(script))) as tracker:
        assert tracker.crop(Frame(0, 0, IMAGE)) is None
        assert script.made == 2
        assert tracker.status == "searching"
    with pytest.raises(RuntimeError, match="with statement"):
        tracker.crop(Frame(1, MS, IMAGE))
    tracker.close()


def follow(
    draw: Callable[[int], np.ndarray], frames: int, **options: float
) -> tuple[list[FaceCrop | None], list[str], FaceTracker]:
    crops, states = [], []
    with FaceTracker(FaceFinder(deterministic=True), **options) as tracker:  # type: ignore[arg-type]
        for k in range(frames):
            crops.append(tracker.crop(Frame(k, k * 50 * MS, draw(k))))
            states.append(tracker.status)
    return crops, states, tracker


def test_real_face_partly_outside_the_picture(faces: Path) -> None:
    face = faces / "001_neutral.jpg"
    image = on_canvas([(face, -130, 20, 440)])  # a third of it is cut off
    crops, states, tracker = follow(lambda k: image, 3)
    assert states[-1] == "ok"
    assert crops[-1] is not None
    assert tracker.face is not None
    assert tracker.face.box[0] < 20
    assert crops[-1].gray.std() > 10


def test_real_small_and_distant_faces(shared_data: Path) -> None:
    face = shared_data / "faces" / "002_neutral.jpg"
    _, states, _ = follow(lambda k: on_canvas([(face, 300, 200, 150)]), 2)
    assert states == ["small", "small"]


@pytest.mark.parametrize(("width", "height"), [(640, 480), (1280, 720), (1920, 1080), (3840, 2160)])
def test_the_smallest_face_is_80_px_at_every_size(shared_data: Path, width: int, height: int) -> None:
    face = shared_data / "faces" / "002_neutral.jpg"
    image = on_canvas([(face, int(0.7 * width), int(0.5 * height), 205)], width, height)
    crops, states, tracker = follow(lambda k: image, 1)
    assert states == ["ok"]
    assert crops[0] is not None
    assert tracker.face is not None
    assert 80 <= face_width(tracker.face.landmarks) < 115


def test_a_face_upside_down_is_analysed_and_named(shared_data: Path) -> None:
    for face in sorted((shared_data / "faces").glob("*_neutral.jpg"))[:4]:
        image = on_canvas([(face, 120, 40, 400)])
        upright, _, tracker = follow(lambda k, image=image: image, 3)
        assert not tracker.finder.turned
        crops, states, tracker = follow(lambda k, image=image: np.ascontiguousarray(image[::-1, ::-1]), 3)
        assert states == ["ok"] * 3
        assert tracker.finder.turned
        before, after = upright[0], crops[0]
        assert before is not None
        assert after is not None
        away, away_flipped = (
            np.abs(before.gray.astype(int) - gray).mean() for gray in (after.gray, after.gray[::-1])
        )
        assert away < 0.5 * away_flipped  # the same face, the right way up


def test_the_person_who_comes_back_is_taken_up_again_and_another_is_marked(shared_data: Path) -> None:
    person, other = (shared_data / "faces" / f"{name}_neutral.jpg" for name in ("001", "004"))
    both = on_canvas([(person, 20, 60, 380), (other, 420, 120, 220)])
    covered = on_canvas([(other, 420, 120, 220)])

    def scene(k: int) -> np.ndarray:  # 50 ms a frame: seen 1 s, covered .6 s, seen 1 s, gone 4 s, back
        return covered if 20 <= k < 32 or 52 <= k < 132 else both

    crops, states = [], []
    who: list[int] = []
    with FaceTracker(FaceFinder(deterministic=True)) as tracker:
        for k in range(180):
            crop = tracker.crop(Frame(k, k * 50 * MS, scene(k)))
            crops.append(crop)
            states.append(tracker.status)
            who.append(0 if crop is None else tracker.person)
    assert set(who[:20]) == {1}
    assert 2 not in who[20:90]  # nobody else is taken for the person while that is covered
    assert set(who[36:52]) == {1}
    assert "other" in states[58:90]
    assert who[125] == 2  # after two seconds alone, somebody new, and marked as such
    assert who[-1] == 1  # and the first one again
    anchors_seen = {c.anchor for c, w in zip(crops, who, strict=True) if c is not None and w == 2}
    assert anchors_seen.isdisjoint(
        c.anchor for c, w in zip(crops, who, strict=True) if c is not None and w == 1
    )


def test_a_real_head_that_moves_is_anchored_again_and_one_that_smirks_is_not(faces: Path) -> None:
    import cv2

    face = faces / "001_neutral.jpg"
    still = on_canvas([(face, 80, 0, 480)])
    with FaceTracker(FaceFinder(50 * MS, deterministic=True)) as tracker:
        first = tracker.crop(Frame(0, 0, still))
        assert first is not None
        assert first.landmarks is not None
        back = cv2.invertAffineTransform(first.warp)
        corner = back[:, :2] @ first.landmarks[61] + back[:, 2]  # a corner of the mouth, frame pixels
        y, x = np.mgrid[0:480, 0:640].astype(np.float32)
        near = np.exp(-((x - corner[0]) ** 2 + (y - corner[1]) ** 2) / (2 * 15**2)).astype(np.float32)
        smirk = cv2.remap(still, x, y + 4 * near, cv2.INTER_LINEAR)  # four pixels up
        for k in range(1, 8):
            crop = tracker.crop(Frame(k, k * 50 * MS, smirk))
            assert crop is not None
            assert crop.anchor == 1
        assert tracker.finder.rate_hz == pytest.approx(20)
        moved = on_canvas([(face, 104, 6, 480)])
        for k in range(8, 20):
            crop = tracker.crop(Frame(k, k * 50 * MS, moved))
        assert tracker.anchor == 2
        assert crop is not None
        assert crop.landmarks is not None
        assert np.abs(crop.landmarks - first.landmarks).max() < 6  # the same face in the same place

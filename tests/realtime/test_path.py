from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from support.face_meshes import mesh

from mer_live.realtime.face.detection import InlineLandmarks
from mer_live.realtime.face.landmarks import FaceDetection
from mer_live.realtime.path import FacePath
from mer_live.realtime.spotter.spotter import Spotter
from mer_live.realtime.types import Frame, Moment, Motion, Span, Spot

NOISE = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)


class OneFace:
    """A face in the middle of whatever it is shown."""

    def detect_rgb(self, image_rgb: np.ndarray) -> tuple[FaceDetection, ...]:
        height, width = image_rgb.shape[:2]
        return (FaceDetection(mesh(width / 2, height / 2, 120)),)

    def confirm(self, image_rgb: np.ndarray, face: FaceDetection) -> FaceDetection:
        return face

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("stretch", "image"), [(1, NOISE), (0, np.ascontiguousarray(np.rot90(NOISE)))], ids=["clock", "turned"]
)
def test_a_break_makes_every_part_begin_anew(stretch: int, image: np.ndarray) -> None:
    with FacePath(open_landmarks=lambda: InlineLandmarks(OneFace)) as path:
        for k in range(40):
            before = path.step(Frame(k, k * 5_000_000, NOISE)).crop
        after = path.step(Frame(40, 40 * 5_000_000, image, stretch))
        assert before is not None
        assert after.crop is not None
        assert after.crop.anchor == before.anchor + 1
        assert after.motion is not None
        assert not after.motion.regions.any()
        assert path.step(Frame(41, 41 * 5_000_000, image, stretch)).crop is not None


def test_a_torn_frame_that_begins_a_stretch_ends_what_was_open() -> None:
    """The frame is passed over, but what came before it has ended all the same."""
    open_one = Spot(1, "withdrawn", Span(Moment(0, 0), Moment(1, 1), None), 0.9, Moment(1, 1))

    class Announced(Spotter):
        def update(self, motion: Motion | None, t_ns: int) -> list[Spot]:
            return [open_one] if motion is None else []

    with FacePath(open_landmarks=lambda: InlineLandmarks(OneFace), spotter=Announced()) as path:
        path.step(Frame(0, 0, NOISE))
        step = path.step(Frame(1, 5_000_000, NOISE, 1), lambda frame: False)
    assert step.torn
    assert [one.spot.reason for one in step.spotted] == ["the recording jumped"]


def test_frames_leave_nothing_behind_and_take_no_memory_of_a_picture_s_size() -> None:
    """Such memory would be mapped and faulted in anew in every frame."""
    rng = np.random.default_rng(1)
    still = np.repeat(np.repeat(NOISE[::8, ::8], 8, 0), 8, 1).astype(np.int16)
    images = [np.clip(still + rng.normal(0, 2, still.shape), 0, 255).astype(np.uint8) for _ in range(3)]
    with FacePath(open_landmarks=lambda: InlineLandmarks(OneFace)) as path:
        for k in range(700):  # 3.5 s: whatever holds seconds is full
            assert path.step(Frame(k, k * 5_000_000, images[k % 3])).crop is not None
        tracemalloc.start()
        try:
            for k in range(700, 730):
                path.step(Frame(k, k * 5_000_000, images[k % 3]))
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            for k in range(730, 900):
                path.step(Frame(k, k * 5_000_000, images[k % 3]))
            after, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert after - before < 100_000
    assert peak - before < NOISE.nbytes

"""Several people at once: what is told of one does not hang on the others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from support.face_meshes import mesh

from mer_live.benchmarks.inputs import HeldClip, demo_recording
from mer_live.realtime import Event, FacePath, LiveConfig, watch
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.face.detection import InlineLandmarks
from mer_live.realtime.face.landmarks import FaceDetection
from mer_live.realtime.types import Frame, Motion

FEW = 420
"""Frames: the first event of each face."""
LATER = 400
"""Frames by which the second face is ahead, so that the movements of the two differ."""


@pytest.fixture(scope="module")
def clip() -> HeldClip:
    return demo_recording((FEW + LATER) / 200)


def pictures(clip: HeldClip, left: bool, right: bool) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The demo's face on the left; the same, mirrored and at another time, on the right."""
    for k in range(FEW):
        wide = np.full((480, 1280, 3), 90, np.uint8)
        if left:
            wide[:, :640] = clip.frames[k]
        if right:
            wide[:, 640:] = clip.frames[k + LATER][:, ::-1]
        yield int(clip.t_ns[k]), wide


def run(clip: HeldClip, left: bool, right: bool, faces: int) -> tuple[list[Event], dict[str, object]]:
    frames = pictures(clip, left, right)
    with watch(frames, bundles=["madtn"], backend="onnxruntime", decide="final", faces=faces) as session:
        return list(session), session.report()


def told(events: list[Event]) -> list[tuple[str, str, int, int]]:
    return [(event.state, event.label, event.span.onset.frame, event.span.apex.frame) for event in events]


@pytest.mark.slow
def test_each_event_of_two_faces_is_that_of_its_face_alone(clip: HeldClip) -> None:
    both, report = run(clip, left=True, right=True, faces=2)
    assert len({event.id for event in both}) == 2
    people = report["input"]["people"]  # type: ignore[index]
    assert [one["usable"] for one in people] == [1.0, 1.0]
    for left in (True, False):
        alone, _ = run(clip, left, not left, faces=1)
        own = [event for event in both if event.face and (event.face.box[0] < 640) == left]
        assert alone
        assert [event[:2] for event in told(own)] == [event[:2] for event in told(alone)]
        # One look sees both faces, so the meshes differ by tenths of a pixel from those of a look at one.
        for one, other in zip(told(own), told(alone), strict=True):
            assert np.abs(np.subtract(one[2:], other[2:])).max() <= 4
        assert len({event.face.id for event in own if event.face}) == 1


def test_a_second_place_changes_nothing_where_one_person_is(clip: HeldClip) -> None:
    one, _ = run(clip, left=True, right=False, faces=1)
    two, report = run(clip, left=True, right=False, faces=2)
    assert one
    assert told(two) == told(one)
    assert [event.id for event in two] == [event.id for event in one]
    assert len(report["input"]["people"]) == 1  # type: ignore[index]


class Both:
    """Two faces that fill their halves, so that every look is at the whole frame; or one of them."""

    def __init__(self, *meshes: np.ndarray) -> None:
        self.meshes = meshes

    def detect_rgb(self, image_rgb: np.ndarray) -> tuple[FaceDetection, ...]:
        return tuple(FaceDetection(one) for one in self.meshes)

    def confirm(self, image_rgb: np.ndarray, face: FaceDetection) -> FaceDetection:
        return face

    def close(self) -> None:
        pass


def test_what_is_measured_of_a_face_is_what_it_is_alone(clip: HeldClip) -> None:
    left, right = mesh(160, 240, 170), mesh(480, 240, 160)

    def measured(*meshes: np.ndarray) -> list[list[Motion | None]]:
        opened = lambda: InlineLandmarks(lambda: Both(*meshes))  # noqa: E731
        first = FacePath(open_landmarks=opened)
        paths = [first, *(FacePath(beside=first) for _ in meshes[1:])]
        with first:
            rows = [
                [path.step(Frame(k, k * 5_000_000, clip.frames[k])).motion for path in paths]
                for k in range(60)
            ]
        return [list(column) for column in zip(*rows, strict=True)]

    together = measured(left, right)
    for alone, one in zip((*measured(left), *measured(right)), together, strict=True):
        for a, b in zip(alone, one, strict=True):
            assert a is not None
            assert b is not None
            np.testing.assert_allclose(a.regions, b.regions, atol=1e-5)
            np.testing.assert_allclose(a.texture, b.texture, atol=1e-5)


def test_how_many_is_one_to_four() -> None:
    for faces in (0, 5):
        with pytest.raises(ValueError, match="1 to 4"):
            LiveConfig(faces=faces)
        with pytest.raises(ValueError, match="1 to 4"):
            watch(str(demo_clip()), faces=faces)

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mer_live.realtime.face.detection import InlineLandmarks
from mer_live.realtime.face.landmarks import FaceDetection
from mer_live.realtime.face.search import Look, Region


class Bright:
    """Finds the one bright pixel, or block of pixels."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def detect_rgb(self, image_rgb: NDArray[np.uint8]) -> tuple[FaceDetection, ...]:
        self.shapes.append(image_rgb.shape[:2])
        y, x = np.unravel_index(int(image_rgb[..., 0].argmax()), image_rgb.shape[:2])
        return (FaceDetection(np.array([[x, y]], np.float32)),)

    def confirm(self, image_rgb: NDArray[np.uint8], face: FaceDetection) -> FaceDetection:
        return face

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("look", "seen"),
    [
        (None, (1080, 1920)),
        (Look(Region(1000, 400, 3000, 1800), turned=False), (1344, 1920)),
        (Look(Region(1000, 400, 2000, 1800), turned=True), (1400, 1000)),
    ],
)
def test_a_large_picture_is_shrunk_and_what_is_found_stands_in_the_frame(
    look: Look | None, seen: tuple[int, int]
) -> None:
    image = np.zeros((2160, 3840, 3), np.uint8)
    image[1200:1204, 1600:1604] = 255
    bright = Bright()
    landmarks = InlineLandmarks(lambda: bright)
    assert landmarks.submit(image, 0, look)
    done = landmarks.take(wait=True)
    assert done is not None
    assert done.faces is not None
    assert bright.shapes == [seen]
    assert np.abs(done.faces[0].landmarks[0] - [1602, 1202]).max() <= 4

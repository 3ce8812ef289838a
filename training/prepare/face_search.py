"""The face of one photograph or onset frame, sought as the live path seeks it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.landmarks import detect_landmarks
from mer_live.realtime.face.search import Region, around, search_looks

_BORDER = 0.5


def find_face(image_bgr: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Return the landmarks of the largest face, or None.

    The whole frame is searched, then its parts (a detector misses faces under a tenth of its picture), then
    the frame with a border of half its size, since some owners' crops leave no margin around the face.
    What is found is looked at once more from close by, as the live path does from its second look on.

    Args:
        image_bgr: (H, W, 3) uint8 BGR.

    Returns:
        (478, 2) float32 (x, y) in image pixels.

    Raises:
        LandmarkerError: The landmark model cannot be used.
    """
    height, width = image_bgr.shape[:2]
    for look in search_looks(height, width):
        if not look.turned and (found := _look(image_bgr, look.region)) is not None:
            closer = _look(image_bgr, around(height, width, found))
            return found if closer is None else closer
    down, right = int(height * _BORDER), int(width * _BORDER)
    bordered = cv2.copyMakeBorder(image_bgr, down, down, right, right, cv2.BORDER_REPLICATE)
    found = detect_landmarks(np.asarray(bordered, np.uint8))
    return None if found is None else found - np.array([right, down], np.float32)


def _look(image: NDArray[np.uint8], region: Region) -> NDArray[np.float32] | None:
    left, top, right, bottom = region
    part = np.ascontiguousarray(image[top:bottom, left:right])
    found = detect_landmarks(part)
    return None if found is None else found + np.array([left, top], np.float32)

"""Which of the faces of a picture is followed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.anchor import face_width
from mer_live.realtime.face.landmarks import FaceDetection


def choose_face(
    faces: tuple[FaceDetection, ...], tracked: NDArray[np.float32] | None
) -> FaceDetection | None:
    """The face to follow: the tracked one where its landmarks still lie, else (nothing tracked) the largest.

    Args:
        faces: what one frame holds.
        tracked: (478, 2) the last landmarks of the tracked face, or None.

    Returns:
        None where there is no face, or none within half a face width of the tracked one.
    """
    if not faces:
        return None
    if tracked is None:
        return max(faces, key=lambda face: face_width(face.landmarks))
    centre, width = tracked.mean(axis=0), face_width(tracked)

    def distance(face: FaceDetection) -> float:
        away = float(np.linalg.norm(face.landmarks.mean(axis=0) - centre)) / width
        return away + abs(float(np.log(face_width(face.landmarks) / width)))

    nearest = min(faces, key=distance)
    return nearest if distance(nearest) < 0.5 else None

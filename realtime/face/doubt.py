"""Whether a mesh lies on a face: a true one is found again from another distance, a false one moves about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.anchor import face_width

Doubt = Literal["", "false", "turned"]
"""'': a face. false: none. turned: the picture is upside down there."""
Find = Callable[[NDArray[np.uint8]], list[NDArray[np.float32]]]
"""(H, W, 3) RGB -> meshes (478, 2) px."""

_SURE, _AGREES = 0.006, 0.03
"""Root mean square distance of two looks at one face, in face widths. Of 13 people in motion and 40 photographs,
upright faces gave .002 to .013, lying ones up to .046, false meshes on faces upside down .01 and more, half of them
over .05."""
_LYING = 2.0
_NEAR, _NEARER = 3.0, 2.5
_LYING_ROLL = np.sin(np.radians(40))


def look_again(
    find: Find, image_rgb: NDArray[np.uint8], landmarks: NDArray[np.float32]
) -> tuple[Doubt, NDArray[np.float32]]:
    """Look at a face again, and where that gives another mesh, with the picture upside down.

    Args:
        find: The landmarker.
        image_rgb: (H, W, 3) that the mesh was found in.
        landmarks: (478, 2) px in it.

    Returns:
        The doubt, and the mesh to go on with: of a face upside down the one that fits it.
    """
    away, _ = _again(find, image_rgb, landmarks, _NEAR)
    if away <= _SURE:
        return "", landmarks
    height, width = image_rgb.shape[:2]
    last = np.array([width - 1, height - 1], np.float32)
    turned = np.ascontiguousarray(image_rgb[::-1, ::-1])
    # The first look only tells where the true mesh lies; two looks at that one are compared.
    _, other = _again(find, turned, last - landmarks, _NEAR, nearest_only=True)
    if other is not None:
        other_away, _ = _again(find, turned, other, _NEARER)
        if other_away < min(_AGREES, away / 2):
            return "turned", last - other
    ears = landmarks[454] - landmarks[234]
    lying = abs(float(ears[1])) > _LYING_ROLL * float(np.hypot(*ears))
    return ("" if away <= _AGREES * (_LYING if lying else 1.0) else "false"), landmarks


def _again(
    find: Find,
    image: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    widths: float,
    nearest_only: bool = False,
) -> tuple[float, NDArray[np.float32] | None]:
    """Distance (face widths) of the mesh that is found in a square about the face, and that mesh."""
    height, width = image.shape[:2]
    size = max(1.0, face_width(landmarks))
    half = widths * size / 2
    x, y = landmarks.mean(axis=0) + 0.07 * size  # off the middle, so that nothing is seen quite the same
    left, top = max(0, int(x - half)), max(0, int(y - half))
    part = image[top : min(height, int(y + half)), left : min(width, int(x + half))]
    if min(part.shape[:2]) < 16:
        return np.inf, None
    found = [mesh + np.array([left, top], np.float32) for mesh in find(np.ascontiguousarray(part))]
    if not found:
        return np.inf, None

    def away(mesh: NDArray[np.float32]) -> float:
        if nearest_only:
            return float(np.linalg.norm(mesh.mean(axis=0) - landmarks.mean(axis=0))) / size
        return float(np.sqrt(((mesh - landmarks) ** 2).sum(axis=1).mean())) / size

    nearest = min(found, key=away)
    return away(nearest), nearest

"""Faces made unrecognisable in a recorded picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.landmarks import FaceDetection

_BLOCKS = 8
_GROW = 1.25


def blur_faces(image: NDArray[np.uint8], faces: Sequence[FaceDetection]) -> NDArray[np.uint8]:
    """Copy ``image`` (H, W, 3) with each face's hull, a quarter larger, reduced to ``_BLOCKS`` blocks across.

    Without a known face the whole picture is: it may hold one that was not found.
    """
    height, width = image.shape[:2]
    if not faces:
        return _blocks(image)
    blurred = image.copy()
    for face in faces:
        hull = cv2.convexHull(face.landmarks.astype(np.float32))[:, 0]
        centre = hull.mean(axis=0)
        hull = centre + (hull - centre) * _GROW
        left, top = np.clip(np.floor(hull.min(axis=0)), 0, (width, height)).astype(int)
        right, bottom = np.clip(np.ceil(hull.max(axis=0)), 0, (width, height)).astype(int)
        if right <= left or bottom <= top:
            continue
        part = blurred[top:bottom, left:right]
        inside = np.zeros(part.shape[:2], np.uint8)
        cv2.fillConvexPoly(inside, np.round(hull - (left, top)).astype(np.int32), 1)
        np.copyto(part, _blocks(part), where=inside[..., None].astype(bool))
    return blurred


def _blocks(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    small = cv2.resize(image, (min(_BLOCKS, width), min(_BLOCKS, height)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)

"""One event as a slow loop, and the same loop with its motion magnified by the flow from the onset."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.flow import make_flow
from mer_live.realtime.face.crop import CROP_SIZE, Cropper
from mer_live.realtime.motion.regions import MEMBERSHIP, REGIONS, STABLE, points_of
from mer_live.realtime.session.read import RecordedSession
from mer_live.realtime.session.review.pictures import PictureIndex
from mer_live.realtime.spotter.pulses import raised_cosine

_BEFORE_AFTER = 0.15
_SMOOTH_PX = 3.0
_MOST_FRAMES = 240
_TOLD = 4
_GRID, _LEAST_ARROW_PX = 12, 0.15


def event_loop(
    session: RecordedSession, pictures: PictureIndex, event: Mapping[str, Any], gain: float
) -> dict[str, Any]:
    """Face crops around an event, as JPEG, plain and with the motion since the onset ``gain`` times as large.

    All crops are cut as the onset's. The flow of each to the onset's, less what the head does (the median over
    points that follow the head alone), moves the onset's picture ``gain`` times as far: nothing is invented
    that the flow did not measure.

    Returns:
        ``index`` (frame numbers), ``plain`` and ``magnified`` (JPEG, base64), ``curves`` (px by region, those that
        move most), ``course`` (px: the raised cosine of the event's moments, as high as it fits the first of them),
        ``flow`` ([x, y, dx, dy] px of the crop at the apex, where the face moved), ``moves`` (``region``, ``dx``,
        ``dy``, ``px`` of the frame, at the apex), ``ms`` (the event's length), ``head_px``. All empty, and ``why``
        says so, where the face is not there.
    """
    frames = session.frames
    offset = event["offset_frame"] if event["offset_frame"] is not None else event["apex_frame"]
    first = onset = int(np.searchsorted(frames.index, event["onset_frame"]))
    last = int(np.searchsorted(frames.index, offset))
    margin = max(2, round((last - first) * _BEFORE_AFTER))
    around = range(max(0, first - margin), min(len(frames.index), last + margin + 1))
    rows = [row for row in around if frames.picture[row] >= 0][:_MOST_FRAMES]
    onset = min(onset, len(frames.index) - 1)
    anchoring = session.anchorings.get(int(frames.anchor[onset]))
    crops: list[NDArray[np.uint8]] = []
    kept: list[int] = []
    for row, image in pictures.read_rows(rows):
        if session.cropped:
            if frames.anchor[row] != frames.anchor[onset]:
                continue
            crop = image
        elif anchoring is not None:
            crop = (
                Cropper(anchoring.warp, image.shape[0], image.shape[1], CROP_SIZE).apply(image, None).copy()
            )
        else:
            continue
        crops.append(crop)
        kept.append(row)
    if not crops or anchoring is None:
        return {
            "index": [],
            "plain": [],
            "magnified": [],
            "curves": {},
            "course": [],
            "flow": [],
            "moves": [],
            "ms": 0.0,
            "head_px": 0.0,
            "why": "the face was not followed here",
        }
    reference = crops[int(np.argmin([abs(row - onset) for row in kept]))]
    points = points_of(anchoring.landmarks, CROP_SIZE)
    flow = make_flow()
    fields = [cv2.GaussianBlur(np.array(flow(reference, crop)), (0, 0), _SMOOTH_PX) for crop in crops]
    at = np.round(points).astype(int)
    moved = np.stack([field[at[:, 1], at[:, 0]] for field in fields])  # (T, P, 2)
    head = np.median(moved[:, STABLE > 0], axis=1)  # (T, 2)
    regions = np.einsum(
        "rp,tpc->trc", MEMBERSHIP / MEMBERSHIP.sum(axis=1, keepdims=True), moved - head[:, None]
    )
    size = np.linalg.norm(regions, axis=2)  # (T, R)
    most = np.argsort(size.max(axis=0))[::-1][:_TOLD]
    seconds = (frames.t_ns[kept] - int(frames.t_ns[onset])) / 1e9
    apex = min(int(np.searchsorted(frames.index, event["apex_frame"])), len(frames.index) - 1)
    top = int(np.argmin([abs(row - apex) for row in kept]))
    duration_ms = (int(frames.t_ns[min(last, len(frames.t_ns) - 1)]) - int(frames.t_ns[onset])) / 1e6
    back = np.linalg.inv(anchoring.warp[:, :2].astype(np.float64))  # crop px -> frame px
    ways = regions[top] @ back.T  # (R, 2)
    return {
        "index": [int(frames.index[row]) for row in kept],
        "plain": [jpeg(crop) for crop in crops],
        "magnified": [
            jpeg(magnify(reference, field - shift, gain)) for field, shift in zip(fields, head, strict=True)
        ],
        "curves": {_plain(k): np.round(size[:, k], 3).tolist() for k in most},
        "course": _course(seconds, seconds[top], duration_ms / 1000, size[:, most[0]]),
        "flow": _arrows(fields[top] - head[top], points),
        "moves": [
            {"region": name, "dx": float(dx), "dy": float(dy), "px": float(np.hypot(dx, dy))}
            for name, (dx, dy) in zip(REGIONS, ways, strict=True)
        ],
        "ms": duration_ms,
        "head_px": float(np.linalg.norm(head @ back.T, axis=1).max()),
        "why": "",
    }


def _course(
    seconds: NDArray[np.float64], apex_s: float, offset_s: float, moved: NDArray[np.float64]
) -> list[float]:
    """(T,) raised cosine from 0 s to ``offset_s`` that fits ``moved`` (T,) best, px."""
    shape = raised_cosine(-seconds, 0.0, -float(apex_s), -float(offset_s))
    height = float(shape @ moved) / max(1e-9, float(shape @ shape))
    return [round(float(px), 3) for px in height * shape]


def _arrows(field: NDArray[np.float32], points: NDArray[np.float32]) -> list[list[float]]:
    """[x, y, dx, dy] of a (S, S, 2) field, px, on a grid inside the hull of the face's points."""
    hull = cv2.convexHull(points)
    found = []
    for y in range(_GRID // 2, field.shape[0], _GRID):
        for x in range(_GRID // 2, field.shape[1], _GRID):
            dx, dy = field[y, x]
            if (
                np.hypot(dx, dy) >= _LEAST_ARROW_PX
                and cv2.pointPolygonTest(hull, (float(x), float(y)), False) >= 0
            ):
                found.append([x, y, round(float(dx), 2), round(float(dy), 2)])
    return found


def _plain(region: int) -> str:
    return REGIONS[region].replace("_", " ")


def magnify(reference: NDArray[np.uint8], field: NDArray[np.float32], gain: float) -> NDArray[np.uint8]:
    """``reference`` (S, S) moved ``gain`` times as far as ``field`` (S, S, 2), px, says."""
    size = reference.shape[0]
    y, x = np.mgrid[:size, :size].astype(np.float32)
    x_from, y_from = x - np.float32(gain) * field[..., 0], y - np.float32(gain) * field[..., 1]
    moved = cv2.remap(reference, x_from, y_from, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def jpeg(image: NDArray[np.uint8]) -> str:
    """``image`` as base64 of a JPEG."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88])
    return base64.b64encode(data.tobytes()).decode()

"""One sample as the live path would have met it: tracked, metered, spotted, and only then represented."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.specs import AdmSpec
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.face.detection import InlineLandmarks
from mer_live.realtime.face.landmarks import FaceDetection, Landmarker
from mer_live.realtime.path import FacePath, Spotted
from mer_live.realtime.types import Frame, Moment, Span, Spot
from mer_live.training.datasets.frames import FrameError
from mer_live.training.datasets.sample import Sample
from mer_live.training.prepare.clip import (
    Prepared,
    Represent,
    annotated_positions,
    crop_clip,
    search_apex,
)
from mer_live.training.prepare.config import PrepareConfig

_LEAST_NOISE, _MOST_NOISE = 0.5, 4.0
"""Gray levels; a codec that smooths noise away hides it, and motion between the two frames looks like it."""

_landmarker: list[Landmarker] = []


class _Kept:
    """The process's landmarker, handed to one tracker after the other without being closed."""

    def detect_rgb(self, image_rgb: NDArray[np.uint8]) -> tuple[FaceDetection, ...]:
        return _landmarker[0].detect_rgb(image_rgb)

    def confirm(self, image_rgb: NDArray[np.uint8], face: FaceDetection) -> FaceDetection:
        return _landmarker[0].confirm(image_rgb, face)

    def close(self) -> None:
        """Leave it open for the next clip."""


def _keep() -> InlineLandmarks:
    if not _landmarker:
        _landmarker.append(Landmarker())
    return InlineLandmarks(_Kept)


def look_range(sample: Sample, config: PrepareConfig) -> range:
    """Positions that the spotter is shown: the whole recording, or ``margin_s`` around it in a long one."""
    onset, _, last = annotated_positions(sample)
    margin = round(config.margin_s * sample.fps)
    return range(max(0, onset - margin), min(len(sample.frames.numbers), last + margin + 1))


def spot_clip(sample: Sample, config: PrepareConfig) -> tuple[Spot, Clip] | None:
    """Run the live stages over a sample and return its best event, or None where nothing is spotted.

    A final event comes before a provisional one, then the higher score. Frame indices of the spot count from
    the first frame of `look_range`; frames held before it and after it are pulled onto the ends.

    Raises:
        FrameError: A frame cannot be decoded.
        LandmarkerError: The landmark model cannot be used.
    """
    where = look_range(sample, config)
    period_ns = 1e9 / sample.fps
    lead, tail = round(config.lead_s * sample.fps), round(config.tail_s * sample.fps)
    live = LiveConfig(sensitivity=config.sensitivity)
    rows = {spec for _, spec in config.representations if isinstance(spec, AdmSpec)}
    adm = rows.pop() if len(rows) == 1 else None  # of several kinds each is made from the clip
    best: tuple[tuple[bool, float], Spot, Clip] | None = None
    withdrawn: set[int] = set()
    found: list[tuple[Spot, Clip]] = []
    with FacePath(live, adm=adm, open_landmarks=_keep) as path:
        told: list[Spotted] = []
        for number, image in enumerate(_held(sample.frames.read(where), lead, tail)):
            told += path.step(Frame(number, round(number * period_ns), image)).spotted
        told += path.finish()
    for one in told:
        if one.spot.phase == "withdrawn":
            withdrawn.add(one.spot.id)
        elif one.clip is not None:
            found.append((one.spot, one.clip))
    for spot, clip in found:
        rank = (spot.phase == "offset", spot.score)
        if spot.id not in withdrawn and (best is None or rank > best[0]):
            best = (rank, spot, clip)
    if best is None:
        return None
    _, spot, clip = best

    def inside(moment: Moment) -> Moment:
        return replace(moment, frame=min(max(moment.frame - lead, 0), len(where) - 1))

    span = spot.span
    offset = None if span.offset is None else inside(span.offset)
    return replace(spot, span=Span(inside(span.onset), inside(span.apex), offset)), clip


def _held(frames: Iterator[NDArray[np.uint8]], lead: int, tail: int) -> Iterator[NDArray[np.uint8]]:
    """Yield ``lead`` pictures of the first frame, the frames, and ``tail`` pictures of the last.

    Held pictures get the camera's noise anew each: a spotter that has learned from a frozen picture that
    a resting face does not flicker takes the first noise for a movement.
    """
    first = next(frames, None)
    if first is None:
        return
    second = next(frames, None)
    noisy = _Pictures(_noise(first, first if second is None else second))
    for _ in range(lead):
        yield noisy.take(first)
    yield first
    last = first
    if second is not None:
        last = second
        yield second
    for last in frames:
        yield last
    for _ in range(tail):
        yield noisy.take(last)


def _noise(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Standard deviation of a camera's noise, gray levels, from two frames (E|a - b| = 1.128 sigma)."""
    if first.shape != second.shape:
        return _LEAST_NOISE
    difference = float(cv2.norm(first, second, cv2.NORM_L1)) / first.size
    return min(max(difference / 1.128, _LEAST_NOISE), _MOST_NOISE)


class _Pictures:
    """Takes pictures of a picture: each time other noise, always the same series."""

    _SPARE = 61

    def __init__(self, sigma: float) -> None:
        self._sigma = sigma
        self._rng = np.random.default_rng(0)
        self._field: NDArray[np.int16] = np.empty((0, 0), np.int16)

    def take(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a new (H, W, 3) picture; one value for all channels, since the crop keeps the gray alone."""
        height, width = image.shape[:2]
        if self._field.shape != (height + self._SPARE, width + self._SPARE):
            # One field, seen through a window that jumps: drawing a new one each time takes 20 ms.
            drawn = self._rng.normal(0, self._sigma, (height + self._SPARE, width + self._SPARE))
            self._field = np.rint(drawn).astype(np.int16)
        down, right = self._rng.integers(0, self._SPARE + 1, 2)
        noise = self._field[down : down + height, right : right + width]
        return np.asarray(cv2.add(image, cv2.merge([noise] * 3), dtype=cv2.CV_8U), np.uint8)


def prepare_deployable(sample: Sample, config: PrepareConfig, make: Represent) -> Prepared:
    """Prepare one sample on frames that the spotter finds; where it finds none, by the offline search.

    Raises:
        ClipError: No face in the onset frame.
        FrameError: A frame cannot be decoded.
    """
    fallback = crop_clip(sample)  # also refuses what the annotated set refuses, so that rows agree
    numbers = sample.frames.numbers
    try:
        spotted = spot_clip(sample, config)
    except FrameError:  # of a frame outside onset..offset: the annotated set has this row, so this one must
        spotted = None
    if spotted is None:
        clip = replace(fallback, apex=search_apex(fallback))
        first = annotated_positions(sample)[0]
        end = None if clip.offset is None else numbers[first + clip.offset]
        arrays = make.arrays(clip)
        return Prepared(numbers[first], numbers[first + clip.apex], end, "search", arrays)
    spot, clip = spotted
    span = spot.span
    first = look_range(sample, config).start
    return Prepared(
        onset=numbers[first + span.onset.frame],
        apex=numbers[first + span.apex.frame],
        offset=None if span.offset is None else numbers[first + span.offset.frame],
        found="final" if spot.phase == "offset" else "provisional",
        arrays=make.arrays(clip),
    )

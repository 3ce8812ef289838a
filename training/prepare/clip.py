"""One annotated sample -> face crops with the live warp -> the arrays of its representations."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.flow import Flow, make_flow
from mer_live.engines.representation.represent import represent
from mer_live.engines.representation.specs import FlowConfig, MotionSpec, RepresentationSpec
from mer_live.realtime.face.crop import CROP_SIZE, Cropper, crop_warp
from mer_live.training.datasets.sample import Sample
from mer_live.training.prepare.apex_search import find_apex
from mer_live.training.prepare.config import PrepareConfig
from mer_live.training.prepare.face_search import find_face

_AFTER_APEX_S = 1.0


class ClipError(ValueError):
    """A clip that cannot be prepared; the sentence goes into the list of skipped clips."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What came of one sample."""

    onset: int
    apex: int
    offset: int | None
    """Frame numbers as in the sample's files."""
    found: str
    """Where they come from: annotated, middle, search; final or provisional from the spotter."""
    arrays: dict[str, NDArray[Any]]
    copies: dict[str, NDArray[Any]] = field(default_factory=dict)
    """(K, ...) per array that has copies."""


def position_of(sample: Sample, number: int) -> int:
    """Return the position of a frame number, or of the next one where that file is missing."""
    numbers = sample.frames.numbers
    return min(bisect_left(numbers, number), len(numbers) - 1)


def annotated_positions(sample: Sample) -> tuple[int, int, int]:
    """Return positions of onset, apex (the onset's where none is annotated) and last frame."""
    onset = position_of(sample, sample.onset)
    apex = onset if sample.apex is None else position_of(sample, sample.apex)
    if sample.offset is not None:
        return onset, apex, position_of(sample, sample.offset)
    # In a long recording that never returns, what comes much later is no part of the expression.
    last = len(sample.frames.numbers) - 1
    return onset, apex, min(last, max(apex, onset) + round(_AFTER_APEX_S * sample.fps))


def crop_clip(sample: Sample) -> Clip:
    """Crop onset..offset of a sample with the onset frame's warp.

    Returns:
        Onset at position 0; the apex is the annotated one, else the temporal middle. Times are frame steps /
        fps, so that frames that are missing leave a gap.

    Raises:
        ClipError: No face in the onset frame.
        FrameError: A frame cannot be decoded.
    """
    onset, apex, last = annotated_positions(sample)
    count = last - onset + 1
    gray = crop_frames(sample.frames.read(range(onset, last + 1)), count)
    steps = np.asarray(sample.frames.steps[onset : last + 1])
    t_ns = np.round((steps - steps[0]) * (1e9 / sample.fps)).astype(np.int64)
    middle = (count - 1) // 2
    return Clip(
        gray=gray,
        t_ns=t_ns,
        onset=0,
        apex=middle if sample.apex is None else apex - onset,
        offset=None if sample.offset is None else count - 1,
    )


def crop_frames(frames: Iterable[NDArray[np.uint8]], count: int) -> NDArray[np.uint8]:
    """Crop frames (H, W, 3) BGR with the first one's warp -> (count, S, S) uint8.

    Raises:
        ClipError: No face in the first frame.
    """
    gray = np.empty((count, CROP_SIZE, CROP_SIZE), np.uint8)
    cropper: Cropper | None = None
    warp: NDArray[np.float32] | None = None
    for number, frame in enumerate(frames):
        if warp is None:
            landmarks = find_face(frame)
            if landmarks is None:
                raise ClipError("no face was found in the onset frame")
            warp = crop_warp(landmarks)
        if cropper is None or cropper.frame_shape != frame.shape:
            cropper = Cropper(warp, *frame.shape[:2])
        cropper.apply(frame, gray[number])
    return gray


def place_apex(sample: Sample, clip: Clip, config: PrepareConfig) -> tuple[Clip, str]:
    """Give a clip without an annotated apex one, or every clip a searched one; say where it comes from."""
    if sample.apex is not None and config.apex == "annotated":
        return clip, "annotated"
    if "search" in (config.apex, config.missing_apex):
        return replace(clip, apex=search_apex(clip)), "search"
    return clip, "middle"


def search_apex(clip: Clip) -> int:
    """Return the apex that the published offline search finds between onset and offset."""
    last = len(clip.gray) - 1 if clip.offset is None else clip.offset
    return clip.onset + find_apex(clip.gray[clip.onset : last + 1])


class Represent:
    """Makes arrays of clips; keeps one flow object per configuration."""

    def __init__(self, config: PrepareConfig) -> None:
        self._config = config
        self._flows: dict[FlowConfig, Flow] = {}

    def arrays(self, clip: Clip) -> dict[str, NDArray[Any]]:
        """Return every representation of the clip, by array name."""
        return {name: self._one(clip, spec) for name, spec in self._config.representations}

    def copies(self, clip: Clip) -> dict[str, NDArray[np.uint8]]:
        """Return (K, ...) per motion array: each frame of the clip's central share as the middle frame.

        Xia et al. (ICPR-FBE 2020, sec. 3.1) take the central 20 %; around the apex where the apex is
        what stands in the middle.
        """
        specs = dict(self._config.representations)
        result = {}
        for name in self._config.copied:
            spec = specs[name]
            assert isinstance(spec, MotionSpec)
            by_apex = replace(spec, middle="apex")
            frames = central_frames(clip, self._config.copies, spec.middle)
            images = [self._one(replace(clip, apex=frame), by_apex) for frame in frames]
            result[name] = np.stack(images)
        return result

    def _one(self, clip: Clip, spec: RepresentationSpec) -> NDArray[Any]:
        wanted = getattr(spec, "flow", None)
        if wanted is None:
            return represent(clip, spec)
        if wanted not in self._flows:
            self._flows[wanted] = make_flow(wanted)
        return represent(clip, spec, self._flows[wanted])


def central_frames(clip: Clip, share: float, middle: str) -> range:
    """Positions within ``share`` of the clip's length around its temporal centre, or around its apex."""
    last = len(clip.gray) - 1 if clip.offset is None else clip.offset
    half = share * (last - clip.onset) / 2
    centre = (clip.onset + last) / 2 if middle == "centre" else float(clip.apex)
    first = max(clip.onset, int(np.ceil(centre - half)))
    final = min(last, int(np.floor(centre + half)))
    return range(first, final + 1) if final >= first else range(int(centre), int(centre) + 1)


def prepare_annotated(sample: Sample, config: PrepareConfig, make: Represent) -> Prepared:
    """Prepare one sample on the frames of its sheet.

    Raises:
        ClipError: No face in the onset frame.
        FrameError: A frame cannot be decoded.
    """
    clip, found = place_apex(sample, crop_clip(sample), config)
    first = annotated_positions(sample)[0]
    numbers = sample.frames.numbers
    return Prepared(
        onset=numbers[first + clip.onset],
        apex=numbers[first + clip.apex],
        offset=None if clip.offset is None else numbers[first + clip.offset],
        found=found,
        arrays=make.arrays(clip),
        copies=make.copies(clip),
    )

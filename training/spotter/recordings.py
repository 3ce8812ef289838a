"""What the spotter is measured on: events put into real clips, animated stills, and clips left alone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.adm import adm_row
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.motion_image import resize_gray
from mer_live.realtime.face.anchor import STABLE_POINTS
from mer_live.realtime.face.choice import choose_face
from mer_live.realtime.face.landmarks import Landmarker
from mer_live.realtime.motion.meter import MotionMeter
from mer_live.realtime.motion.stage import FlowSpec
from mer_live.realtime.path import FacePath
from mer_live.realtime.spotter.spotter import Spotter
from mer_live.realtime.types import FaceCrop, Frame, Motion
from mer_live.training.spotter.net import nobody
from mer_live.training.synthesis.clips import Truth
from mer_live.training.synthesis.faces.face_model import FacePhoto, similarity
from mer_live.training.synthesis.sequence import Plan, render_crops

Kind = Literal["injected", "animated", "natural"]
_NO_WARP = np.eye(2, 3, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Recording:
    """A clip as the spotter sees it, with what really happens in it."""

    name: str
    kind: Kind
    fps: float
    times_ns: NDArray[np.int64]
    motions: tuple[Motion | None, ...]
    """One a frame; None where there was no face."""
    truths: tuple[Truth, ...]
    distractors: tuple[tuple[str, int, int], ...]
    """(kind, start ns, end ns)."""
    motion_ms: NDArray[np.float64]
    """Time that MotionMeter took, one a frame with a face."""
    flow_ms: float
    """Median of the part that is the flow for the ADM row and the row itself."""
    crops: NDArray[np.uint8] | None = None
    """(T, 224, 224), kept only where the offline search is compared."""
    person: str = ""
    """Who is seen; people count alike."""
    mouth_px: NDArray[np.float64] | None = None
    """(T,) how far the mouth itself, before events were put in, moves around each frame (`injected.mouth_px`)."""

    @property
    def face_s(self) -> float:
        """Seconds with a face."""
        return float(sum(m is not None for m in self.motions)) / self.fps


class _Timed:
    """A motion meter with a stopwatch (processor time, so that other programs do not count)."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)  # what other threads do would not be counted
        self.motion_ms: list[float] = []
        self._flow_ms: list[float] = []
        self._meter = MotionMeter()
        self._spec = FlowSpec()
        self._flow = make_flow(self._spec.flow)
        self._previous: NDArray[np.uint8] | None = None

    def update(self, crop: FaceCrop) -> Motion:
        """Measure one crop; every 25th frame the shared flow is done once more, alone."""
        started = time.thread_time()
        motion = self._meter.update(crop)
        self.motion_ms.append((time.thread_time() - started) * 1e3)
        if self._previous is not None and len(self.motion_ms) % 25 == 0:
            started = time.thread_time()
            before = resize_gray(self._previous, self._spec.flow_px)
            adm_row(self._flow(before, resize_gray(crop.gray, self._spec.flow_px)), scale=2.0)
            self._flow_ms.append((time.thread_time() - started) * 1e3)
        if len(self.motion_ms) % 25 == 24:
            self._previous = crop.gray.copy()
        return motion

    @property
    def flow_ms(self) -> float:
        """Median."""
        return float(np.median(self._flow_ms)) if self._flow_ms else float("nan")


def read_clip(path: Path) -> tuple[list[NDArray[np.uint8]], float]:
    """All BGR frames of a video and its rate."""
    capture = cv2.VideoCapture(str(path))
    frames: list[NDArray[np.uint8]] = []
    while True:
        done, frame = capture.read()
        if not done:
            break
        frames.append(np.asarray(frame, np.uint8))
    rate = float(capture.get(cv2.CAP_PROP_FPS)) or 25.0
    capture.release()
    if not frames:
        raise ValueError(f"{path} cannot be read as a video")
    return frames, rate


def take_starts(path: Path, take_s: float, longest_s: float) -> list[float]:
    """Seconds at which the takes of a clip begin, of which the first ``longest_s`` are used; a short one is whole."""
    capture = cv2.VideoCapture(str(path))
    seconds = capture.get(cv2.CAP_PROP_FRAME_COUNT) / (capture.get(cv2.CAP_PROP_FPS) or 25.0)
    capture.release()
    return [k * take_s for k in range(max(1, round(min(seconds, longest_s) / take_s)))]


def tracked(
    name: str,
    kind: Kind,
    frames: Iterable[NDArray[np.uint8]],
    fps: float,
    truths: Sequence[Truth] = (),
    person: str = "",
) -> Recording:
    """What the live path makes of whole frames, as for a file."""
    motions: list[Motion | None] = []
    with FacePath(spotter=Spotter(scorer=nobody())) as path:
        for index, image in enumerate(frames):
            motions.append(path.step(Frame(index, round(index * 1e9 / fps), image)).motion)
    times = np.array([round(k * 1e9 / fps) for k in range(len(motions))], np.int64)
    return Recording(
        name, kind, fps, times, tuple(motions), tuple(truths), (), np.zeros(0), float("nan"), person=person
    )


def animated(
    photo: FacePhoto,
    fps: float,
    seed: int,
    duration_s: float,
    *,
    keep_crops: bool = False,
    plan: Plan | None = None,
) -> Recording:
    """An animated still with events and every distractor; the crop is anchored once, with landmark error."""
    rng = np.random.default_rng(seed)
    plan = plan or Plan(event_every_s=1.2)
    stream, truth, landmarks = render_crops(photo, rng, duration_s=duration_s, fps=fps, plan=plan, seed=seed)
    meter = _Timed()
    motions, crops = [], []
    marks = landmarks.astype(np.float32)
    for index, (gray, t_ns) in enumerate(stream):
        motions.append(meter.update(FaceCrop(index, t_ns, gray, _NO_WARP, marks, 1)))
        if keep_crops:
            crops.append(gray.copy())
    return Recording(
        f"{photo.subject}-{fps:.0f}fps-{seed}",
        "animated",
        fps,
        np.array([m.t_ns for m in motions], np.int64),
        tuple(motions),
        truth.events,
        tuple((kind, round(a * 1e9), round(b * 1e9)) for kind, a, b in truth.distractors),
        np.array(meter.motion_ms),
        meter.flow_ms,
        np.stack(crops) if keep_crops else None,
    )


class Footage:
    """A real clip with a smooth track of its face, into which events can be put (`injected`).

    Args:
        path: a video.
        first_s, last_s: the part of it that is used.
        person: who is seen.
    """

    def __init__(self, path: Path, first_s: float = 0.0, last_s: float = 1e6, person: str = "") -> None:
        frames, self.fps = read_clip(path)
        self.name = path.stem if not first_s else f"{path.stem}@{first_s:g}"
        self.person = person
        self.frames = frames[round(first_s * self.fps) : round(last_s * self.fps)]

    def there_and_back(self, *, back_first: bool) -> Footage:
        """The same frames forwards and backwards (or the other way round), and so what its ends show lasts.

        A sentence of GRID is preceded and followed by half a second of silence, which is shorter than what the
        spotter must see around a movement; played on backwards, the face stays silent for a second.
        """
        forth = range(len(self.frames))
        order = [*forth[::-1], *forth[1:]] if back_first else [*forth, *forth[-2::-1]]
        made = copy(self)
        for name in ("_poses", "plain"):
            made.__dict__.pop(name, None)
        made.name = f"{self.name}-{'back-forth' if back_first else 'forth-back'}"
        made.frames = [self.frames[k] for k in order]
        made.landmarks = [self.landmarks[k] for k in order]
        return made

    @cached_property
    def landmarks(self) -> list[NDArray[np.float32] | None]:
        """(478, 2) px of every frame, None without a face."""
        found: list[NDArray[np.float32] | None] = []
        with Landmarker() as landmarker:
            last = None
            for image in self.frames:
                face = choose_face(landmarker.detect(image), last)
                last = None if face is None else face.landmarks
                found.append(last)
        return found

    @cached_property
    def _poses(self) -> NDArray[np.float64]:
        """(T, 4) similarity from the first face to each frame, smoothed over 3 frames; nan without a face."""
        seen = [k for k, marks in enumerate(self.landmarks) if marks is not None]
        points = list(STABLE_POINTS)
        poses = np.full((len(self.frames), 4), np.nan)
        if not seen:
            return poses
        first = self.landmarks[seen[0]]
        assert first is not None
        for k in seen:
            marks = self.landmarks[k]
            assert marks is not None
            fit = similarity(first[points], marks[points])
            poses[k] = fit[0, 0], fit[1, 0], fit[0, 2], fit[1, 2]
        smooth = poses.copy()
        # Landmarks jitter from frame to frame; the head does not. Centred, so that it does not lag.
        weights = np.array([0.25, 0.5, 0.25])
        for k in range(1, len(poses) - 1):
            window = poses[k - 1 : k + 2]
            if np.isfinite(window).all():
                smooth[k] = weights @ window
        return smooth

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(T,) whether there is a face that events can be put into."""
        return np.asarray(np.isfinite(self._poses).all(1))

    def matrix(self, k: int) -> NDArray[np.float64]:
        """(3, 3) similarity from the first face to frame ``k``."""
        a, b, x, y = self._poses[k]
        return np.array([[a, -b, x], [b, a, y], [0, 0, 1]])

    @cached_property
    def plain(self) -> Recording:
        """The clip as it is."""
        return tracked(self.name, "natural", self.frames, self.fps, person=self.person)

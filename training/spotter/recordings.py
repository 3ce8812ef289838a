"""What the spotter is measured on: events put into real clips, animated stills, and clips left alone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.adm import adm_row
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.motion_image import resize_gray
from mer_live.realtime.face.anchor import STABLE_POINTS
from mer_live.realtime.face.landmarks import Landmarker
from mer_live.realtime.face.tracker import FaceTracker, choose_face
from mer_live.realtime.motion.meter import MotionMeter
from mer_live.realtime.motion.stage import FlowSpec
from mer_live.realtime.types import CLASSES, FaceCrop, Frame, Motion
from mer_live.training.synthesis.face_model import FacePhoto, similarity
from mer_live.training.synthesis.inject import Injector
from mer_live.training.synthesis.sequence import Plan, render_crops
from mer_live.training.synthesis.timeline import Pulse, draw_pulse

Kind = Literal["injected", "animated", "natural"]
_NO_WARP = np.eye(2, 3, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Truth:
    """One micro-expression that is really there."""

    label: str
    onset_ns: int
    apex_ns: int
    offset_ns: int
    intensity_px: float
    """Largest displacement at the apex, px of the 224 px crop."""


def truth_at(pulse: Pulse, label: str, intensity_px: float) -> Truth:
    """A scripted movement as truth."""
    spans = (round(s * 1e9) for s in (pulse.onset_s, pulse.apex_s, pulse.offset_s))
    onset, apex, offset = spans
    return Truth(label, onset, apex, offset, intensity_px)


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
    own_px: NDArray[np.float64] | None = None
    """(T,) how far the face itself, before events were put in, moved any region in the last 0.5 s."""

    def moving(self, t_ns: int, least_px: float = 4.0) -> bool:
        """Whether the face moved of itself in the half second before a time; no still does."""
        if self.own_px is None:
            return False
        k = min(int(np.searchsorted(self.times_ns, t_ns)), len(self.own_px) - 1)
        return bool(self.own_px[k] >= least_px)

    @property
    def watched_s(self) -> float:
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


def watch(
    name: str,
    kind: Kind,
    frames: Iterable[NDArray[np.uint8]],
    fps: float,
    truths: Sequence[Truth] = (),
) -> Recording:
    """Run the live face tracker and motion meter over whole frames, as for a file."""
    meter = _Timed()
    motions: list[Motion | None] = []
    with FaceTracker(deterministic=True) as tracker:
        for index, image in enumerate(frames):
            crop = tracker.crop(Frame(index, round(index * 1e9 / fps), image))
            if crop is None:
                motions.append(None)
                continue
            motions.append(meter.update(crop))
    times = np.array([round(k * 1e9 / fps) for k in range(len(motions))], np.int64)
    return Recording(
        name, kind, fps, times, tuple(motions), tuple(truths), (), np.array(meter.motion_ms), meter.flow_ms
    )


def animated(
    photo: FacePhoto, fps: float, seed: int, duration_s: float, *, keep_crops: bool = False
) -> Recording:
    """An animated still with events and every distractor; the crop is anchored once, with landmark error."""
    rng = np.random.default_rng(seed)
    plan = Plan(event_every_s=1.2)
    stream, truth, landmarks = render_crops(photo, rng, duration_s=duration_s, fps=fps, plan=plan, seed=seed)
    meter = _Timed()
    motions, crops = [], []
    marks = landmarks.astype(np.float32)
    for index, (gray, t_ns) in enumerate(stream):
        motions.append(meter.update(FaceCrop(index, t_ns, gray, _NO_WARP, marks, 1)))
        if keep_crops:
            crops.append(gray.copy())
    truths = tuple(
        Truth(e.label, round(e.onset_s * 1e9), round(e.apex_s * 1e9), round(e.offset_s * 1e9), e.intensity_px)
        for e in truth.events
    )
    return Recording(
        f"{photo.subject}-{fps:.0f}fps-{seed}",
        "animated",
        fps,
        np.array([m.t_ns for m in motions], np.int64),
        tuple(motions),
        truths,
        tuple((kind, round(a * 1e9), round(b * 1e9)) for kind, a, b in truth.distractors),
        np.array(meter.motion_ms),
        meter.flow_ms,
        np.stack(crops) if keep_crops else None,
    )


class Footage:
    """A real clip with a smooth track of its face, into which events can be put."""

    def __init__(self, path: Path, first_s: float = 0.0, last_s: float = 1e9, *, track: bool = True) -> None:
        frames, self.fps = read_clip(path)
        self.name = path.stem
        self.frames = frames[round(first_s * self.fps) : round(min(last_s, 1e6) * self.fps)]
        self.landmarks = self._landmarks() if track else [None] * len(self.frames)
        self._poses = self._track()
        self._plain: Recording | None = None

    def _landmarks(self) -> list[NDArray[np.float32] | None]:
        found: list[NDArray[np.float32] | None] = []
        with Landmarker() as landmarker:
            last = None
            for image in self.frames:
                face = choose_face(landmarker.detect(image), last)
                last = None if face is None else face.landmarks
                found.append(last)
        return found

    def _track(self) -> NDArray[np.float64]:
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

    def schedule(
        self, rng: np.random.Generator, every_s: float, px: tuple[float, float]
    ) -> list[tuple[Truth, Pulse]]:
        """Events at random times at which a face is seen throughout; classes take turns in random order."""
        planned: list[tuple[Truth, Pulse]] = []
        t, order = 1.0 + float(rng.exponential(every_s)), list[str]()
        while t < len(self.frames) / self.fps - 1.0:
            pulse = draw_pulse(rng, t)
            order = order or [str(c) for c in rng.permutation(list(CLASSES))]
            size = float(np.exp(rng.uniform(*np.log(px))))
            first, last = int(pulse.onset_s * self.fps) - 5, int(pulse.offset_s * self.fps) + 5
            if np.isfinite(self._poses[first:last]).all():
                planned.append((truth_at(pulse, order.pop(), size), pulse))
            t = pulse.offset_s + 0.6 + float(rng.exponential(every_s))
        return planned

    def inject(
        self, rng: np.random.Generator, plan: Sequence[tuple[Truth, Pulse]]
    ) -> Iterator[NDArray[np.uint8]]:
        """The frames, with the planned events in them."""
        injectors = []
        for truth, pulse in plan:
            start = int(pulse.onset_s * self.fps)
            marks = self.landmarks[start]
            assert marks is not None
            injectors.append((Injector(marks, rng, label=truth.label), self._matrix(start), truth, pulse))
        for k, image in enumerate(self.frames):
            out = image
            for injector, start_pose, truth, pulse in injectors:
                amount = truth.intensity_px * pulse.at(k / self.fps)
                if amount > 0:
                    anchor = np.vstack([injector.anchor, [0, 0, 1]])
                    moved = np.linalg.inv(self._matrix(k) @ np.linalg.inv(start_pose))
                    out = injector.inject(out, (anchor @ moved)[:2], amount)
            yield out

    def _matrix(self, k: int) -> NDArray[np.float64]:
        a, b, x, y = self._poses[k]
        return np.array([[a, -b, x], [b, a, y], [0, 0, 1]])

    def injected(self, seed: int, every_s: float = 1.2, px: tuple[float, float] = (0.5, 4.0)) -> Recording:
        """The clip with random events."""
        rng = np.random.default_rng(seed)
        plan = self.schedule(rng, every_s, px)
        name, truths = f"{self.name}-{seed}", [truth for truth, _ in plan]
        recording = watch(name, "injected", self.inject(rng, plan), self.fps, truths)
        return replace(recording, own_px=own_motion(self.untouched()))

    def untouched(self) -> Recording:
        """The clip as it is."""
        if self._plain is None:
            self._plain = watch(self.name, "natural", self.frames, self.fps)
        return self._plain


def own_motion(recording: Recording, last_s: float = 0.5) -> NDArray[np.float64]:
    """(T,) largest range of any region's displacement over the last ``last_s``, px; inf without a face."""
    n = max(2, round(last_s * recording.fps))
    own = np.full(len(recording.motions), np.inf)
    for k in range(n, len(own)):
        seen = [m.regions for m in recording.motions[k - n : k + 1] if m is not None]
        if len(seen) == n + 1:
            own[k] = np.linalg.norm(np.ptp(np.stack(seen), axis=0), axis=1).max()
    return own

"""Face tracking: landmarks at their own pace beside the path -> for every frame a crop that holds still."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.anchor import AnchorConfig, AnchorPolicy, face_width
from mer_live.realtime.face.choice import choose_face
from mer_live.realtime.face.crop import CROP_SIZE, Cropper, warp_points
from mer_live.realtime.face.detection import Detection, InlineLandmarks, Landmarks
from mer_live.realtime.face.identity import People
from mer_live.realtime.face.landmarks import FaceDetection
from mer_live.realtime.face.search import Look, around, search_looks
from mer_live.realtime.types import FaceCrop, Frame

MIN_FACE_PX = 80.0
"""Ear to ear; a narrower face is reported, not analysed: half a crop pixel is a sixth of a camera pixel."""

Status = Literal["searching", "none", "false", "small", "other", "ok"]
WHY: dict[Status, str] = {
    "searching": "not looked yet",
    "none": "no face was found",
    "false": "what was found is no face",
    "small": f"the face is narrower than {MIN_FACE_PX:g} px",
    "other": "another person than before",
    "ok": "a face is analysed",
}
"""For people."""
_WAIT_NS = 2_000_000_000
"""Someone else is taken up when the person has been away this long."""
_SEARCH_NS = 1_000_000_000
"""Of recordings: the whole frame is searched this often at once while there is no face."""
_LOOK_ABOUT_NS = 1_000_000_000
"""While somebody else is followed, the person before is looked for this often."""


@dataclass(frozen=True, slots=True)
class FaceStats:
    """How the landmarks fare, for the display and the report."""

    detections: int
    """Frames that landmarks were sought in."""
    failures: int
    """Times the landmarker broke and was built anew."""
    anchors: int
    rate_hz: float
    """Detections per second of stream time, over the last second or so."""
    detect_ms: float
    """Median time of the last detections."""


class FaceTracker:
    """Cuts the face out of every frame; a context manager.

    Live (``deterministic=False``): the landmarks get a frame when they are free and ``period_ns`` has
    passed; `crop` never waits for them and uses the newest answer there is.

    Files (``deterministic=True``): a frame is handed over when its time is ``period_ns`` after the last one
    handed over, and the answer takes effect on the first frame at least ``period_ns`` later, for which
    `crop` waits if it must. While there is no face to crop it waits on the spot, so that the first
    frame with a face is already cropped. So the crops are the same bit for bit at any pace.

    Args:
        size: S, side of the crops, pixels.
        period_ns: least time between two landmark detections.
        deterministic: as above.
        min_face_px: narrower faces are reported as "small" and not analysed.
        anchor: thresholds of the crop's hold on the head.
        open_landmarks: opens what finds landmarks, in the caller's thread or (`LandmarkThread`) beside it.
    """

    def __init__(
        self,
        size: int = CROP_SIZE,
        period_ns: int = 60_000_000,
        *,
        deterministic: bool,
        min_face_px: float = MIN_FACE_PX,
        anchor: AnchorConfig | None = None,
        open_landmarks: Callable[[], Landmarks] = InlineLandmarks,
    ) -> None:
        self.size = size
        self.status: Status = "searching"
        """searching: no answer yet; ok: crops are coming; else why there are none."""
        self.faces: tuple[FaceDetection, ...] = ()
        """Every face of the newest answer, for display."""
        self.face: FaceDetection | None = None
        """The one that is followed, as last seen (frame pixels); None with status "none"."""
        self.person = 0
        """Who is followed: 1, 2, ... in the order in which people were first followed; 0 before anybody was."""
        self.turned = False
        """The picture is upside down; it is looked at the other way up."""
        self._people = People()
        self._look: Look | None = None
        self._gone_ns: int | None = None
        self._searched_ns: int | None = None
        self._about_ns = 0
        self._period_ns = period_ns
        self._deterministic = deterministic
        self._min_face_px = min_face_px
        self._policy = AnchorPolicy(anchor, size)
        self._open = open_landmarks
        self._landmarks: Landmarks | None = None
        self._submitted_ns: int | None = None
        self._cropper: Cropper | None = None
        self._cropper_anchor = 0
        self._crop_landmarks: NDArray[np.float32] | None = None
        self._times: deque[int] = deque(maxlen=20)
        self._took: deque[int] = deque(maxlen=20)
        self._detections = 0
        self._misses = 0

    def open(self) -> None:
        """Load the landmarker; takes a second the first time. Raises LandmarkerError where it cannot run."""
        self._landmarks = self._open()

    def restart(self) -> None:
        """Forget the face and every answer about frames so far: what comes cannot be compared with it."""
        self._policy.drop()
        self.face, self.faces, self.status = None, (), "searching"
        self._misses, self._submitted_ns, self._searched_ns = 0, None, None
        if self._landmarks is not None:
            self._landmarks.take(wait=True)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the landmarker; a second call does nothing."""
        if self._landmarks is not None:
            self._landmarks.close()
            self._landmarks = None

    @property
    def anchor(self) -> int:
        """Number of anchorings so far."""
        return self._policy.anchor

    @property
    def stats(self) -> FaceStats:
        """A snapshot; cheap."""
        times = list(self._times)
        span = times[-1] - times[0] if len(times) > 1 else 0
        return FaceStats(
            detections=self._detections,
            failures=self._landmarks.failures if self._landmarks is not None else 0,
            anchors=self.anchor,
            rate_hz=(len(times) - 1) * 1e9 / span if span > 0 else 0.0,
            detect_ms=float(np.median(self._took)) / 1e6 if self._took else 0.0,
        )

    def crop(self, frame: Frame, out: NDArray[np.uint8] | None = None) -> FaceCrop | None:
        """Crop one frame; call it for every frame, in order, from one thread.

        Args:
            frame: read, never kept: the ring may overwrite it after the call.
            out: (S, S) contiguous uint8 that receives the crop. The caller owns it, and ``gray`` is a
                read-only view of it; without it ``gray`` is new memory.

        Returns:
            None while there is no face to analyse; `status` says why.
        """
        if self._landmarks is None:
            raise RuntimeError("FaceTracker is closed: use it in a with statement")
        self._follow(self._landmarks, frame)
        warp, landmarks = self._policy.warp, self._policy.landmarks
        if warp is None or landmarks is None:
            return None
        cropper = self._cropper
        if cropper is None or self._cropper_anchor != self.anchor or cropper.frame_shape != frame.image.shape:
            height, width = frame.image.shape[:2]
            cropper = self._cropper = Cropper(warp, height, width, self.size)
            self._cropper_anchor = self.anchor
            self._crop_landmarks = warp_points(warp, landmarks)
            self._crop_landmarks.flags.writeable = False
            warp.flags.writeable = False
        gray = cropper.apply(frame.image, out).view()
        gray.flags.writeable = False
        return FaceCrop(frame.index, frame.t_ns, gray, warp, self._crop_landmarks, self.anchor, self.person)

    def _follow(self, landmarks: Landmarks, frame: Frame) -> None:
        """Collect the answer that is due and hand over the frame whose turn it is."""
        due = self._submitted_ns is None or frame.t_ns - self._submitted_ns >= self._period_ns
        if self._deterministic:
            if due:
                self._apply(landmarks.take(wait=True))
        else:
            self._apply(landmarks.take(wait=False))
        if not due:
            return
        if self._submit(landmarks, frame, self._next_look(frame)) and self._deterministic:
            if self._policy.warp is None:
                self._apply(landmarks.take(wait=True))
            if self.face is None and self._misses:
                self._search(landmarks, frame)

    def _submit(self, landmarks: Landmarks, frame: Frame, look: Look) -> bool:
        """Hand over a look; a face that is not being analysed yet is looked at twice, so that it is one."""
        if not landmarks.submit(frame.image, frame.t_ns, look, confirm=self._policy.warp is None):
            return False
        self._look, self._submitted_ns = look, frame.t_ns
        return True

    def _next_look(self, frame: Frame) -> Look:
        height, width = frame.image.shape[:2]
        away = self.person != self._people.main and frame.t_ns - self._about_ns >= _LOOK_ABOUT_NS
        if self.face is not None and self._misses == 0 and not away:
            return Look(around(height, width, self.face.landmarks), self.turned)
        looks = search_looks(height, width)
        if away:
            self._about_ns = frame.t_ns
            return looks[int(self.turned)]
        return looks[self._misses % len(looks)]

    def _search(self, landmarks: Landmarks, frame: Frame) -> None:
        """Of recordings, where time is free: look everywhere in this frame at once."""
        if self._searched_ns is not None and frame.t_ns - self._searched_ns < _SEARCH_NS:
            return
        self._searched_ns = frame.t_ns
        for look in search_looks(*frame.image.shape[:2]):
            if look != self._look and self._submit(landmarks, frame, look):
                self._apply(landmarks.take(wait=True))
                if self.face is not None:
                    return

    def _apply(self, answer: Detection | None) -> None:
        if answer is None:
            return
        self._detections += 1
        self._times.append(answer.t_ns)
        self._took.append(answer.took_ns)
        if answer.faces is None:  # the landmarker broke on this frame: no news is not "no face"
            return
        self.faces = tuple(face for face in answer.faces if face.doubt != "false")
        face = self._choose(self.faces, answer.t_ns)
        policy = self._policy
        self._misses = self._misses + 1 if face is None else 0
        if face is None:
            if policy.warp is None or policy.lost(answer.t_ns):
                if self.face is not None:
                    self._gone_ns = answer.t_ns
                # Whoever else is in the picture is looked at from the next detection on.
                self.face = None
                self.status = "other" if self.faces else "false" if answer.faces else "none"
            return
        if policy.warp is None and self._look is not None:
            self.turned = self._look.turned != (face.doubt == "turned")
        self.face = face
        # A face that is being analysed may shrink a little before it is given up.
        least = self._min_face_px * (0.95 if policy.warp is not None else 1.0)
        if face_width(face.landmarks) < least:
            policy.drop()
            self.status = "small"
            return
        self.person = self._people.meet(face.landmarks, answer.t_ns, self.person)
        policy.seen(face.landmarks, answer.t_ns)
        self.status = "ok"

    def _choose(self, faces: tuple[FaceDetection, ...], t_ns: int) -> FaceDetection | None:
        """The face to go on with; sets ``person``, 0 for somebody new."""
        main = self._people.main
        if self.face is not None:
            back = self.person != main and next(
                (f for f in faces if self._people.who(f.landmarks, t_ns) == main), None
            )
            if back:
                self._policy.drop()
                self.person = main
                return back
            return choose_face(faces, self.face.landmarks)
        known = [(face, self._people.who(face.landmarks, t_ns)) for face in faces]
        for number in (self.person, main):
            again = [face for face, who in known if who == number and number]
            if again:
                self.person = number
                return choose_face(tuple(again), None)
        largest = choose_face(faces, None)
        waited = self._gone_ns is None or not self.person or t_ns - self._gone_ns >= _WAIT_NS
        if largest is None or not waited or face_width(largest.landmarks) < self._min_face_px:
            return largest if not self.person else None
        self.person = next(who for face, who in known if face is largest)
        return largest

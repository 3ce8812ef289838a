"""Where landmarks are sought, when, and whose they are: one search for all the faces that are followed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

from mer_live.realtime.face.assign import assign
from mer_live.realtime.face.detection import Detection, InlineLandmarks, Landmarks
from mer_live.realtime.face.followed import Followed, Status
from mer_live.realtime.face.identity import People
from mer_live.realtime.face.landmarks import FaceDetection
from mer_live.realtime.face.search import Look, around_all, search_looks
from mer_live.realtime.types import Frame

_SEARCH_NS = 1_000_000_000
"""Of recordings: the whole frame is searched this often at once while there is no face."""
_ABOUT_NS = 1_000_000_000
"""While some are followed, those who are missing are looked for this often."""


class FaceFinder:
    """Tells each `Followed` of one stream where its face is.

    Live (``deterministic=False``): the landmarks get a frame when they are free and ``period_ns`` has
    passed; `step` never waits for them and uses the newest answer there is.

    Files (``deterministic=True``): a frame is handed over when its time is ``period_ns`` after the last one
    handed over, and the answer takes effect on the first frame at least ``period_ns`` later, for which
    `step` waits if it must. While there is no face to crop it waits on the spot, so that the first
    frame with a face is already cropped. So the crops are the same bit for bit at any pace.

    One look serves all faces as long as the detector finds the smallest of them in it; else they take turns.

    Args:
        period_ns: least time between two landmark detections of a face.
        deterministic: as above.
        open_landmarks: opens what finds landmarks, in the caller's thread or (`LandmarkThread`) beside it.
    """

    def __init__(
        self,
        period_ns: int = 60_000_000,
        *,
        deterministic: bool,
        open_landmarks: Callable[[], Landmarks] = InlineLandmarks,
    ) -> None:
        self.places: list[Followed] = []
        """The faces that are followed; each adds itself."""
        self.faces: tuple[FaceDetection, ...] = ()
        """Every face of the newest answer, for display."""
        self.turned = False
        """The picture is upside down; it is looked at the other way up."""
        self._people = People()
        self._period_ns = self._pause_ns = period_ns
        self._deterministic = deterministic
        self._open = open_landmarks
        self._landmarks: Landmarks | None = None
        self._look: Look | None = None
        self._kind: Literal["follow", "search", "about"] = "search"
        self._like: tuple[int, tuple[int, ...]] | None = None
        self._now_ns: int | None = None
        self._submitted_ns: int | None = None
        self._searched_ns: int | None = None
        self._about_ns = 0
        self._abouts = self._turns = self._misses = 0
        self._times: deque[int] = deque(maxlen=20)

    def open(self) -> None:
        """Load the landmarker; takes a second the first time. Raises LandmarkerError where it cannot run."""
        if self._landmarks is None:
            self._landmarks = self._open()

    def close(self) -> None:
        """Free the landmarker; a second call does nothing."""
        if self._landmarks is not None:
            self._landmarks.close()
            self._landmarks = None

    @property
    def rate_hz(self) -> float:
        """Detections per second of stream time, over the last second or so; 0 before the second one."""
        times = list(self._times)
        span = times[-1] - times[0] if len(times) > 1 else 0
        return (len(times) - 1) * 1e9 / span if span > 0 else 0.0

    def step(self, frame: Frame) -> None:
        """Collect the answer that is due and hand over the frame whose turn it is; once for each frame."""
        if self._landmarks is None:
            raise RuntimeError("FaceFinder is closed: use its tracker in a with statement")
        if frame.t_ns == self._now_ns:
            return
        self._now_ns = frame.t_ns
        before, self._like = self._like, (frame.stretch, frame.image.shape)
        if before is not None and before != self._like:
            self._forget(self._landmarks)
        self._follow(self._landmarks, frame)

    def _forget(self, landmarks: Landmarks) -> None:
        """The frame cannot be compared with those before: what was asked about them is of no use."""
        self.faces, self._misses, self._submitted_ns, self._searched_ns = (), 0, None, None
        landmarks.take(wait=True)
        for place in self.places:
            place.forget()

    def _follow(self, landmarks: Landmarks, frame: Frame) -> None:
        due = self._submitted_ns is None or frame.t_ns - self._submitted_ns >= self._pause_ns
        if self._deterministic:
            if due:
                self._apply(landmarks.take(wait=True))
        else:
            self._apply(landmarks.take(wait=False))
        if not due:
            return
        if (about := self._look_about(frame)) and self._submit(landmarks, frame, about, "about"):
            if not self._deterministic:
                return
            self._apply(landmarks.take(wait=True))
        look, kind = self._next_look(frame)
        if self._submit(landmarks, frame, look, kind) and self._deterministic:
            if not any(place.analysed for place in self.places):
                self._apply(landmarks.take(wait=True))
            if not self._held() and self._misses:
                self._search(landmarks, frame)

    def _submit(
        self, landmarks: Landmarks, frame: Frame, look: Look, kind: Literal["follow", "search", "about"]
    ) -> bool:
        """Hand over a look; a face that is not being analysed yet is looked at twice, so that it is one."""
        held = self._held()
        confirm = kind == "about" or not held or not all(place.analysed for place in held)
        if not landmarks.submit(frame.image, frame.t_ns, look, confirm=confirm):
            return False
        self._look, self._kind, self._submitted_ns = look, kind, frame.t_ns
        return True

    def _held(self) -> list[Followed]:
        return [place for place in self.places if place.face is not None]

    def _next_look(self, frame: Frame) -> tuple[Look, Literal["follow", "search"]]:
        height, width = frame.image.shape[:2]
        if any(place.sure for place in self.places):
            meshes = [place.face.landmarks for place in self.places if place.face is not None]
            regions = around_all(height, width, meshes)
            self._pause_ns = self._period_ns // len(regions)
            self._turns += 1
            return Look(regions[self._turns % len(regions)], self.turned), "follow"
        self._pause_ns = self._period_ns
        looks = search_looks(height, width)
        return looks[self._misses % len(looks)], "search"

    def _look_about(self, frame: Frame) -> Look | None:
        """While some are followed: where to look for those who are missing, if it is time to."""
        if not any(place.sure for place in self.places) or frame.t_ns - self._about_ns < _ABOUT_NS:
            return None
        mains = self._people.mains(len(self.places))
        if all(place.face is not None and place.person in (0, *mains) for place in self.places):
            return None
        self._about_ns = frame.t_ns
        looks = [look for look in search_looks(*frame.image.shape[:2]) if look.turned == self.turned]
        self._abouts += 1
        return looks[(self._abouts - 1) % len(looks)]

    def _search(self, landmarks: Landmarks, frame: Frame) -> None:
        """Of recordings, where time is free: look everywhere in this frame at once."""
        if self._searched_ns is not None and frame.t_ns - self._searched_ns < _SEARCH_NS:
            return
        self._searched_ns = frame.t_ns
        for look in search_looks(*frame.image.shape[:2]):
            if look != self._look and self._submit(landmarks, frame, look, "search"):
                self._apply(landmarks.take(wait=True))
                if self._held():
                    return

    def _asked_for(self) -> list[Followed]:
        """Those whom the newest look was for."""
        if self._kind == "search" or self._look is None:
            return self.places
        if self._kind == "about":
            return [place for place in self.places if place.face is None]
        region = self._look.region
        return [
            place
            for place in self.places
            if place.face is not None and region.holds(*place.face.landmarks.mean(axis=0))
        ]

    def _apply(self, answer: Detection | None) -> None:
        if answer is None:
            return
        self._times.append(answer.t_ns)
        if answer.faces is None:  # the landmarker broke on this frame: no news is not "no face"
            return
        self.faces = tuple(face for face in answer.faces if face.doubt != "false")
        asked = self._asked_for()
        found, others = assign(self.faces, answer.t_ns, self.places, asked, self._people)
        if self._kind != "about":
            self._misses = 0 if found else self._misses + 1
        for place, face in found.items():
            if self._look is not None and not any(one.analysed for one in self.places):
                self.turned = self._look.turned != (face.doubt == "turned")
            if place.found(face, answer.t_ns):
                place.person = self._people.meet(face.landmarks, answer.t_ns, place.person)
        false = any(face.doubt == "false" for face in answer.faces)
        for place in asked:
            if place not in found:
                other: Status = "other" if place.person else "small"  # a large one would have been taken up
                place.missed(answer.t_ns, other if others else "false" if false else "none")

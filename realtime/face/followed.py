"""One face that is followed: where it is, whose it is, and whether it can be analysed."""

from __future__ import annotations

from typing import Literal

from mer_live.realtime.face.anchor import AnchorPolicy, face_width
from mer_live.realtime.face.landmarks import FaceDetection

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


class Followed:
    """What is known of one face. `FaceFinder` writes it.

    Args:
        policy: its crop's hold on the head.
        min_face_px: narrower faces are reported as "small" and not analysed.
    """

    def __init__(self, policy: AnchorPolicy, min_face_px: float = MIN_FACE_PX) -> None:
        self.policy = policy
        self.status: Status = "searching"
        """searching: no answer yet; ok: crops are coming; else why there are none."""
        self.face: FaceDetection | None = None
        """As last seen (frame pixels); None while there is none to follow."""
        self.sure = False
        """It was found by the newest look for it."""
        self.person = 0
        """Who it is: 1, 2, ... in the order in which people were first followed; 0 before anybody was."""
        self.gone_ns: int | None = None
        """When the face was lost last."""
        self._min_face_px = min_face_px

    @property
    def analysed(self) -> bool:
        """Whether there is a crop."""
        return self.policy.warp is not None

    def large(self, face: FaceDetection) -> bool:
        """Whether a face can be analysed."""
        return face_width(face.landmarks) >= self._min_face_px

    def forget(self) -> None:
        """What comes cannot be compared with what was."""
        self.policy.drop()
        self.face, self.sure, self.status = None, False, "searching"

    def found(self, face: FaceDetection, t_ns: int) -> bool:
        """It is ``face``; whether that can be analysed."""
        self.face, self.sure = face, True
        # A face that is being analysed may shrink a little before it is given up.
        least = self._min_face_px * (0.95 if self.analysed else 1.0)
        if face_width(face.landmarks) < least:
            self.policy.drop()
            self.status = "small"
            return False
        self.policy.seen(face.landmarks, t_ns)
        self.status = "ok"
        return True

    def missed(self, t_ns: int, why: Status) -> None:
        """It was not found; after a while it is lost."""
        self.sure = False
        if not self.analysed or self.policy.lost(t_ns):
            if self.face is not None:
                self.gone_ns = t_ns
            self.face, self.status = None, why

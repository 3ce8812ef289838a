"""A recorded session as a source: the frames that were analysed, with their own times and numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.face.crop import CROP_SIZE
from mer_live.realtime.session.read import NONE, RecordedPictures, SessionError, read_session
from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.sources.config import CameraConfig, SourceError


class SessionSource(FrameSource):
    """Plays a session; frames that the analysis dropped are dropped again, and the face crops are cut as they were."""

    def __init__(self, cfg: CameraConfig) -> None:
        """Open ``cfg.source``, a session's folder. Raises SourceError."""
        try:
            session = read_session(Path(str(cfg.source)))
        except SessionError as error:
            raise SourceError(str(error)) from error
        if session.info["record"]["blurred"]:
            raise SourceError(
                f"the faces in {cfg.source} are blurred: there is nothing to analyse, its events.jsonl tells what was"
            )
        frames = session.frames
        analysed = np.flatnonzero(frames.analysed)
        if not len(analysed) or (not session.anchorings and session.cropped):
            raise SourceError(f"{cfg.source} ended before a frame was analysed: record again")
        width, height = (CROP_SIZE, CROP_SIZE) if session.cropped else session.info["source"]["size"]
        super().__init__(
            cfg,
            size=(width, height),
            recorded=True,
            nominal_fps=float(session.info["source"]["nominal_fps"]),
            description=f"{cfg.source}: session of {session.info['source']['description']}, pace {cfg.pace}",
        )
        self.faces = session.track
        self.began = session.start
        self._frames = frames
        self._order = analysed
        self._cropped = session.cropped
        self._pictures = RecordedPictures(session)
        self._at = 0
        self._absent = 0
        self._exact = session.info["record"]["codec"] != "h264"

    @property
    def hint(self) -> str | None:
        """Whether the events can differ from those of the recording."""
        if self._absent:
            return (
                f"{self._absent:,} frames that were analysed are not in the recording: its events may differ"
            )
        return None if self._exact else "the pictures were recorded with losses: its events may differ"

    @property
    def facts(self) -> dict[str, Any]:
        """How many frames that were analysed are not in the video."""
        return {"not_recorded": self._absent}

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        """Put the next frame that was analysed into ``slot``; its time, ns."""
        while self._at < len(self._order):
            row = int(self._order[self._at])
            self._at += 1
            position = int(self._frames.picture[row])
            if position == NONE:
                if not (self._cropped and self._frames.anchor[row] == 0):
                    self._absent += 1
                    continue
                slot.fill(0)  # no face: there is no crop to show
            else:
                image = self._pictures.read(position)
                if image is None:
                    self._absent += len(self._order) - self._at + 1
                    return None
                np.copyto(slot, image[..., None] if image.ndim == 2 else image)
            self.number = int(self._frames.index[row])
            self.stretch = int(self._frames.stretch[row])
            return int(self._frames.t_ns[row])
        return None

    def release(self) -> None:
        """Close the video."""
        self._pictures.close()

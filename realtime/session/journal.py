"""The tables of a session, written line by line: frames, anchorings, health."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, TextIO

from mer_live.realtime.session.layout import ANCHORS, FRAME_COLUMNS, FRAMES, HEALTH, MARKERS, SPEAKING
from mer_live.realtime.types import FaceCrop, Frame, Speaking

_MOST = 1 << 16
"""Frames that one of the two sides may be ahead: minutes."""


class Journal:
    """Two threads tell of frames, each in order: the analysis and the encoder. A row is written when both are past it.

    A frame that neither has seen has no row: the gap in the numbers tells of it.
    """

    def __init__(self, folder: Path) -> None:
        """Open the files in ``folder``. Raises OSError."""
        self._folder = folder
        self._further: dict[str, TextIO] = {}
        """Files of what need not happen, by name, opened when it does."""
        self._spoke: deque[Speaking] = deque(maxlen=_MOST)
        self._frames, self._anchors, self._health = (
            (folder / name).open("w", encoding="utf-8", newline="") for name in (FRAMES, ANCHORS, HEALTH)
        )
        self._frames.write(",".join(FRAME_COLUMNS) + "\n")
        self._lock = Lock()
        self._analysed: deque[tuple[int, int, int, int, float]] = deque(maxlen=_MOST)
        self._pictured: deque[tuple[int, int, int, int | None]] = deque(maxlen=_MOST)
        self._last_analysed = self._last_pictured = -1
        self._new_anchors: deque[FaceCrop] = deque(maxlen=_MOST)
        self._anchor = 0

    def analysed(
        self, frame: Frame, crop: FaceCrop | None, level: float, speaking: Sequence[Speaking] = ()
    ) -> None:
        """The analysis is through with ``frame``."""
        with self._lock:
            self._spoke.extend(speaking)
            if crop is not None and crop.anchor != self._anchor:
                self._anchor = crop.anchor
                self._new_anchors.append(crop)  # its warp and landmarks are its own; its pixels are not read
            anchor = 0 if crop is None else crop.anchor
            self._analysed.append((frame.index, frame.t_ns, frame.stretch, anchor, level))
            self._last_analysed = frame.index

    def pictured(self, frame: Frame, picture: int | None) -> None:
        """The encoder is through with ``frame``: its position in the video, or None where it is not there."""
        with self._lock:
            self._pictured.append((frame.index, frame.t_ns, frame.stretch, picture))
            self._last_pictured = frame.index

    def health(self, figures: dict[str, Any]) -> None:
        """Write one line. Raises OSError."""
        self._health.write(json.dumps(figures, allow_nan=False) + "\n")
        self._health.flush()

    def mark(self, marker: dict[str, Any]) -> None:
        """Write one line. Raises OSError."""
        with self._lock:
            self._append(MARKERS, marker)

    def flush(self, *, to_end: bool = False) -> None:
        """Write the rows that are complete; at the end all. Raises OSError."""
        with self._lock:
            upto = min(self._last_analysed, self._last_pictured)
            rows = []
            while (index := self._next()) is not None and (to_end or index <= upto):
                rows.append(self._row(index))
            anchors = [self._new_anchors.popleft() for _ in range(len(self._new_anchors))]
            while self._spoke:
                one = self._spoke.popleft()
                self._append(SPEAKING, {"start_ns": one.start_ns, "end_ns": one.end_ns})
        for crop in anchors:
            landmarks = None if crop.landmarks is None else crop.landmarks.tolist()
            line = {
                "anchor": crop.anchor,
                "warp": crop.warp.tolist(),
                "person": crop.person,
                "landmarks": landmarks,
            }
            self._anchors.write(json.dumps(line) + "\n")
        if anchors:
            self._anchors.flush()
        if rows:
            self._frames.write("".join(rows))
            self._frames.flush()

    def close(self) -> None:
        """Write what is left; a second call does nothing. Raises OSError."""
        if self._frames.closed:
            return
        try:
            self.flush(to_end=True)
        finally:
            for file in self._files:
                file.close()

    def filenos(self) -> tuple[int, ...]:
        """The files' numbers, for fsync."""
        return tuple(file.fileno() for file in self._files)

    @property
    def _files(self) -> tuple[TextIO, ...]:
        return self._frames, self._anchors, self._health, *self._further.values()

    def _append(self, name: str, content: dict[str, Any]) -> None:
        if name not in self._further:
            self._further[name] = (self._folder / name).open("w", encoding="utf-8")
        self._further[name].write(json.dumps(content, allow_nan=False) + "\n")
        self._further[name].flush()

    def _next(self) -> int | None:
        heads = [queue[0][0] for queue in (self._analysed, self._pictured) if queue]
        return min(heads, default=None)

    def _row(self, index: int) -> str:
        """Put together what both sides know of the frame ``index``, which is at the head of one or both."""
        t_ns = stretch = 0
        picture = anchor = level = ""
        if self._analysed and self._analysed[0][0] == index:
            _, t_ns, stretch, number, motion = self._analysed.popleft()
            anchor, level = str(number), f"{motion:.2f}"
        if self._pictured and self._pictured[0][0] == index:
            _, t_ns, stretch, position = self._pictured.popleft()
            picture = "" if position is None else str(position)
        return f"{index},{t_ns},{stretch},{picture},{anchor},{level}\n"

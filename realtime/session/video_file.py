"""Pictures into Matroska whose clusters reach the disk twice a second, so that it can be read after a power cut."""

from __future__ import annotations

from fractions import Fraction
from io import BufferedWriter
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.session.layout import Codec

_MILLISECOND = Fraction(1, 1000)
_MATROSKA = {"cluster_time_limit": "500", "flush_packets": "1"}
# FFV1: every frame stands alone, so that one can be shown without those before; Golomb codes cost half of the time.
_FFV1 = {"level": "3", "g": "1", "slices": "4", "slicecrc": "1", "coder": "0"}
_H264 = {"preset": "ultrafast", "crf": "18", "g": "50", "bf": "0"}


def pixels_of(picture: av.VideoFrame) -> NDArray[np.uint8]:
    """(H, W, 4) view of a bgr0 picture's memory: FFmpeg's scaler would take 4 ms to copy one of 640x480."""
    plane = picture.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : 4 * plane.width].reshape(plane.height, plane.width, 4)


class SessionVideo:
    """Takes pictures of one size in order, in one thread."""

    def __init__(self, path: Path, codec: Codec, size: tuple[int, int], fps: float) -> None:
        """Open ``path`` for pictures of (width, height) px; crops are gray. Raises OSError."""
        self._file: BufferedWriter = path.open("wb")
        self._container = av.open(self._file, "w", format="matroska", container_options=_MATROSKA)
        lossless = codec != "h264"
        self._stream = self._container.add_stream("ffv1" if lossless else "libx264", rate=round(fps) or 30)
        width, height = size
        if codec == "h264":  # its colours are stored two by two
            width, height = width - width % 2, height - height % 2
        self.size = width, height
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = {"ffv1": "bgr0", "h264": "yuv420p", "crops": "gray"}[codec]
        self._stream.options = _FFV1 if lossless else _H264
        self._stream.codec_context.time_base = self._stream.time_base = _MILLISECOND
        self._given = "gray" if codec == "crops" else "bgr24"
        self._pts = -1
        self._first_ns = 0
        self.pictures = 0
        """Taken so far."""

    def fileno(self) -> int:
        """The file's number, for fsync."""
        return self._file.fileno()

    def copy(self, image: NDArray[np.uint8]) -> av.VideoFrame:
        """Copy ``image`` (H, W, 3) BGR, or (H, W) gray for crops, to be given to ``add``."""
        width, height = self.size
        if self._stream.pix_fmt == "bgr0":
            picture = av.VideoFrame(width, height, "bgr0")
            cv2.cvtColor(image, cv2.COLOR_BGR2BGRA, dst=pixels_of(picture))
            return picture
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format=self._given)

    def add(self, picture: av.VideoFrame, t_ns: int) -> int:
        """Encode and write; the picture's position in the file. ``t_ns`` is for players: frames.csv has the times.

        Raises OSError when the disk is full.
        """
        if not self.pictures:
            self._first_ns = t_ns
        self._pts = picture.pts = max(self._pts + 1, (t_ns - self._first_ns) // 1_000_000)
        picture.time_base = _MILLISECOND
        self._container.mux(self._stream.encode(picture))
        self.pictures += 1
        return self.pictures - 1

    def close(self) -> None:
        """Write what is left and the index. Raises OSError."""
        try:
            if self.pictures:
                self._container.mux(self._stream.encode())
            self._container.close()
        finally:
            self._file.close()

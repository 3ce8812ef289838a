"""Recorded video: every frame with its own presentation time, mended where that cannot be true."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.sources.base import FrameSource, size_words
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.container import VideoStream, find_video, glimpses
from mer_live.realtime.sources.decoder import AvDecoder, Decoder, OpenCvDecoder, quiet_opencv, upright
from mer_live.realtime.sources.scan import Scan, scan
from mer_live.realtime.sources.stamps import Mended, Mender
from mer_live.realtime.sources.url import UrlSource, is_url

_PEEK = 32
"""Frames that may have one stamp at the begin of a file that has times."""
_LATE_S = 1.0


class FileSource(FrameSource):
    """A recorded video, local or at a URL, with its own presentation times (or n / ``cfg.fps``).

    It reads one frame ahead, so that a stamp can be judged by its neighbours.
    """

    def __init__(
        self,
        cfg: CameraConfig,
        decoder: Decoder,
        name: str,
        stream: VideoStream | None,
        length_s: float = 0.0,
    ) -> None:
        fps = decoder.nominal_fps
        rate = f"{fps:g} fps by its header" if cfg.fps is None else f"taken as {cfg.fps:g} fps"
        words = f", {stream.words}" if stream is not None and stream.words else ""
        width, height = decoder.size
        super().__init__(
            cfg,
            size=decoder.size,
            recorded=True,
            nominal_fps=fps,
            description=f"{name}: {width}x{height}, {rate}, pace {cfg.pace}{words}",
        )
        self._decoder = decoder
        self._stream = stream
        self._length_s = stream.length_s if stream is not None else length_s
        self._mender = Mender(round(1e9 / fps) if fps > 0 else None)
        self._count = 0
        self._begin_ns = self._end_ns = 0
        self._grabbed = False
        self._raw_ns: int | None = None
        self._cut: str | None = None

    @property
    def hint(self) -> str | None:
        """What was mended, other sizes, an end well before the length of the header, and a pace that was not kept."""
        mended = self._mender.mended.words()
        sizes = size_words(self.resized) if self.resized else None
        late_s = self.late_ns / 1e9
        late = f"its frames came {late_s:.1f} s late at the end: it cannot be decoded at its pace here"
        told = (mended, sizes, self._cut, late if late_s > _LATE_S else None)
        return "; ".join(part for part in told if part) or None

    @property
    def facts(self) -> dict[str, Any]:
        """Which stream was read, when it begins, and what was mended."""
        stream = (
            None if self._stream is None else {"number": self._stream.position + 1, "of": self._stream.of}
        )
        start_s = 0.0 if self._stream is None else round(self._stream.start_s, 6)
        return {"stream": stream, "start_s": start_s, "stamps_mended": asdict(self._mender.mended)}

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        """Decode the next frame into ``slot``; its presentation time, ns."""
        if self._count == 0:
            self._grab()
        image = self._decoder.retrieve(slot) if self._grabbed else None
        if image is None:
            self._cut = self._short(self._count, (self._end_ns - self._begin_ns) / 1e9, self._mender.mended)
            return None
        if image is not slot:
            self.show(image, slot)
        raw_ns = self._raw_ns
        self._grab()
        number = self._count
        self._count += 1
        if self.cfg.fps is not None:
            return round(number * 1e9 / self.cfg.fps)
        self._end_ns, self.stretch = self._mender.add(raw_ns, self._raw_ns)
        if number == 0:
            self._begin_ns = self._end_ns
        return self._end_ns

    def release(self) -> None:
        """Close the file."""
        self._decoder.close()

    def scan(self) -> Scan | None:
        """The whole file looked through without decoding it; None at a URL."""
        if self._stream is None:
            return None
        found = scan(
            Path(str(self.cfg.source)), self._stream, self.nominal_fps, told=self.cfg.fps is not None
        )
        if found.share == 1:
            self._cut = self._short(found.frames, found.read_s, found.mended)
        return replace(found, cut=self._cut)

    def glimpses(self, places: int) -> Iterator[NDArray[np.uint8]]:
        """(H, W, 3) uint8 BGR: pictures spread over the whole file; none at a URL."""
        if self._stream is None:
            return
        with av.open(str(self.cfg.source)) as container:
            stream = container.streams.video[self._stream.position]
            yield from map(upright, glimpses(container, stream, self._length_s, places))

    def _grab(self) -> None:
        self._grabbed = self._decoder.grab()
        self._raw_ns = self._decoder.stamp_ns() if self._grabbed else None

    def _short(self, count: int, read_s: float, mended: Mended) -> str | None:
        """For people, where much less came than the header promised: a fiftieth and a quarter of a second."""
        promised = self._stream.frames if self._stream is not None else 0
        if promised:
            short = promised - count > max(0.02 * promised, 0.25 * self.nominal_fps)
            part = f"{count:,} of {promised:,} frames"
        else:
            # A rate that was told makes times that the header's length does not know of, a clock that leaps
            # makes lengths that are none, and a file's may be that of its sound.
            own = self._stream is None or self._stream.own_length
            known = own and self.cfg.fps is None and mended.steady
            short = known and self._length_s - read_s > max(0.02 * self._length_s, 0.25)
            part = f"{read_s:.2f} of {self._length_s:.2f} s"
        return (
            f"only {part} could be read: the file is damaged or was cut off, "
            "copy or record it again if the rest matters"
            if short
            else None
        )


def open_video(cfg: CameraConfig, name: str) -> FrameSource:
    """Open a file or URL; what has a length is a recording, a URL without one is live."""
    if not is_url(cfg.source):
        stream = find_video(Path(str(cfg.source)))
        _peek(cfg, _decoder(cfg, name, stream), name)
        return FileSource(cfg, _decoder(cfg, name, stream), name, stream)
    capture = _open_capture(cfg, 1)
    if not capture.isOpened():
        raise SourceError(
            f"{name} does not answer with a video stream: check the address, and that the server is up"
        )
    try:
        length_s = _length_s(capture)
        if length_s == 0.0:
            return UrlSource(cfg, capture, name, lambda: _open_capture(cfg, 1))
        return FileSource(cfg, OpenCvDecoder(capture, name), name, None, length_s)
    except SourceError:
        capture.release()
        raise


def _decoder(cfg: CameraConfig, name: str, stream: VideoStream) -> Decoder:
    threads = cfg.decoder_threads or (os.cpu_count() or 1 if stream.splits else 1)
    if stream.position == 0 and not stream.changes:  # the one that OpenCV takes, and leaves as it is
        capture = _open_capture(cfg, threads)
        if capture.isOpened():
            return OpenCvDecoder(capture, name)
    return AvDecoder(str(cfg.source), stream.position, threads)


def _open_capture(cfg: CameraConfig, threads: int) -> cv2.VideoCapture:
    """Open ``cfg.source`` with FFmpeg; the result may be not opened."""
    options = [cv2.CAP_PROP_N_THREADS, threads]
    if is_url(cfg.source):
        timeout_ms = max(1, round(cfg.read_timeout_s * 1000))
        options += [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]
    with quiet_opencv():
        return cv2.VideoCapture(str(cfg.source), cv2.CAP_FFMPEG, options)


def _length_s(capture: cv2.VideoCapture) -> float:
    """Length as its header tells, 0.0 when it does not (an endless stream)."""
    count, fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    return count / fps if count > 0 and fps > 0 else 0.0


def _peek(cfg: CameraConfig, decoder: Decoder, name: str) -> None:
    """Refuse a file without frames, and one without times whose rate nobody told; closes the decoder."""
    stamps_ns: list[int | None] = []
    try:
        while len(stamps_ns) < _PEEK and not any(stamps_ns) and decoder.grab():
            stamps_ns.append(decoder.stamp_ns())
    finally:
        decoder.close()
    if not stamps_ns:
        raise SourceError(f"{name} holds no video frame that can be read: copy or record it again")
    if len(stamps_ns) > 1 and not any(stamps_ns) and cfg.fps is None:
        raise SourceError(f"{name} carries no frame times: give the rate it was recorded at, as --fps 200")

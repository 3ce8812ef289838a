"""Frames to a video file and truth to the JSON beside it."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.files import whole, write_json
from mer_live.training.synthesis.sequence import SequenceTruth

_FORMATS = {".mp4": "mp4", ".mkv": "matroska"}


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    fps: float,
    *,
    codec: str = "libx264",
    crf: int = 18,
    preset: str = "medium",
) -> int:
    """Encode BGR frames (H, W, 3), all of one even size; returns how many.

    ``codec`` is ``libx264`` (lossy, ``crf`` 0..51), ``libx264rgb`` with ``crf`` 0 (lossless) or ``ffv1``
    (lossless, .mkv). Raises ValueError for odd sizes or no frames.
    """
    import av  # not needed by those who only want arrays

    rate = Fraction(fps).limit_denominator(1001)
    count = 0
    with whole(path) as partial, av.open(str(partial), "w", format=_FORMATS[path.suffix]) as container:
        stream = None
        for frame in frames:
            if stream is None:
                h, w = frame.shape[:2]
                if h % 2 or w % 2:
                    raise ValueError(f"video frames must have even sides, got {w}x{h}")
                stream = container.add_stream(codec, rate=rate)
                stream.width, stream.height = w, h
                stream.pix_fmt = {"libx264": "yuv420p", "libx264rgb": "rgb24", "ffv1": "bgr0"}.get(
                    codec, "yuv420p"
                )
                stream.time_base = 1 / rate
                if codec.startswith("libx264"):
                    # One thread: the bytes then depend on nothing but the frames.
                    stream.options = {"crf": str(crf), "preset": preset, "threads": "1"}
            picture = av.VideoFrame.from_ndarray(frame, format="bgr24")
            picture.pts = count
            picture.time_base = 1 / rate
            for packet in stream.encode(picture):
                container.mux(packet)
            count += 1
        if stream is None:
            raise ValueError("a video needs at least one frame")
        for packet in stream.encode(None):
            container.mux(packet)
    return count


def write_truth(path: Path, truth: SequenceTruth) -> None:
    """The truth as JSON, keys as in `SequenceTruth`, times in seconds from the first frame."""
    write_json(path, truth.to_json())

"""A face that does not move, as cameras and encoders deliver it: whatever is found there is theirs."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.training.synthesis.faces.face_model import FacePhoto

Image = NDArray[np.uint8]
_WIDTH, _HEIGHT = 640, 480
_FACE = 0.6
"""Of the picture's height, from the forehead to the chin."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """One way in which a recording is stored."""

    codec: str
    """As libav names it."""
    quality: int
    """crf of libx264 and libx265; kbit/s of the others."""
    key_frames: int = 0
    """Distance of key frames; 0: every picture is one."""

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"{self.codec} {self.quality} g{self.key_frames}"

    def options(self) -> dict[str, str]:
        """What libav is told."""
        g = str(self.key_frames)
        if self.codec == "libx264":
            return {"crf": str(self.quality), "g": g, "preset": "veryfast"}
        if self.codec == "libx265":
            params = f"log-level=error:keyint={g}:pools=1:frame-threads=1"
            return {"crf": str(self.quality), "preset": "ultrafast", "x265-params": params}
        if self.codec == "libvpx":
            return {"deadline": "realtime", "cpu-used": "-5"}  # below 0: the same whatever else computes
        return {}


ENCODERS: tuple[Encoder, ...] = (
    Encoder("libx264", 23, 60),
    Encoder("libx264", 28, 60),
    Encoder("libx264", 28, 250),
    Encoder("libx264", 34, 12),
    Encoder("libx264", 38, 25),
    Encoder("libx265", 28, 30),
    Encoder("libx265", 36, 12),
    Encoder("mpeg4", 1200, 12),
    Encoder("mpeg4", 300, 12),
    Encoder("mpeg4", 600, 50),
    Encoder("mjpeg", 8000),
    Encoder("mjpeg", 3000),
    Encoder("libvpx", 800, 30),
    Encoder("libvpx", 250, 12),
)
"""Several qualities and key-frame distances of each; the worst are worse than a lab would choose."""


def through(frames: Sequence[Image], encoder: Encoder, fps: int) -> list[Image]:
    """(H, W, 3) BGR frames as a player sees them after encoding; libav raises where an encoder is missing."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream(encoder.codec, rate=fps, options=encoder.options())
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if encoder.codec == "mjpeg" else "yuv420p"
        stream.codec_context.thread_count = 1
        if not encoder.codec.startswith("libx"):
            stream.bit_rate = encoder.quality * 1000
        if encoder.key_frames:
            stream.codec_context.gop_size = encoder.key_frames
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        out.mux(stream.encode())
    file.seek(0)
    with av.open(file) as stored:
        return [np.asarray(f.to_ndarray(format="bgr24"), np.uint8) for f in stored.decode(video=0)]


def motionless(
    photo: FacePhoto, rng: np.random.Generator, seconds: float, fps: float, noise: float
) -> list[Image]:
    """A photograph in front of a camera with ``noise`` gray levels; (480, 640, 3) BGR frames."""
    still = _framed(photo)
    return [_noisy(still, rng, noise) for _ in range(round(seconds * fps))]


def flickering(
    photo: FacePhoto, rng: np.random.Generator, seconds: float, fps: float, hz: float, depth: float = 0.15
) -> Iterator[Image]:
    """The same under mains light of ``hz`` (a little off, as mains are) that varies by +-``depth``."""
    still, actual = _framed(photo), hz * float(rng.uniform(0.998, 1.002))
    for k in range(round(seconds * fps)):
        yield _noisy(still * (1.0 + depth * math.sin(2 * math.pi * actual * k / fps)), rng, 1.0)


def _framed(photo: FacePhoto) -> NDArray[np.float32]:
    tall = float(np.ptp(photo.landmarks[:, 1]))
    scale = _FACE * _HEIGHT / tall
    middle = photo.landmarks.mean(0) * scale
    place = np.array([[scale, 0, _WIDTH / 2 - middle[0]], [0, scale, _HEIGHT / 2 - middle[1]]])
    size = (_WIDTH, _HEIGHT)
    # Shrunk in one step from a large photograph, bilinear sampling would alias.
    soft = cv2.GaussianBlur(photo.image, (0, 0), max(0.01, 0.4 / scale)) if scale < 1 else photo.image
    framed = cv2.warpAffine(soft, place, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(framed, np.float32)


def _noisy(still: NDArray[np.float32], rng: np.random.Generator, noise: float) -> Image:
    grain = rng.normal(0, noise, (_HEIGHT, _WIDTH, 1)).astype(np.float32)
    return np.asarray(np.clip(still + grain, 0, 255), np.uint8)

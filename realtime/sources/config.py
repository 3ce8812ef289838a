"""Which source, and what is asked of it; and the error of one that cannot be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pace = Literal["max", "realtime"]


class SourceError(RuntimeError):
    """A source cannot be opened or died; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class CameraConfig:
    """Which source, and what is asked of it."""

    source: int | str = 0
    """Camera number, device path, video file, URL, folder of images, glob or printf pattern of images."""
    fps: float | None = None
    """Asked of a camera. For files and images: their true rate, in place of the times they carry (high-speed
    recordings are often stored as 25 fps; images carry no times at all)."""
    size: tuple[int, int] | None = None
    """(width, height) asked of a camera; the other sources keep their own."""
    fourcc: str | None = None
    """Pixel format asked of a camera, four letters, for example MJPG."""
    exposure_ms: float | Literal["auto"] | None = None
    """Asked of a camera, as gain and focus are; None leaves it as it is."""
    gain: float | None = None
    """In the driver's own units."""
    focus: float | Literal["auto"] | None = None
    """In the driver's own units."""
    pace: Pace = "max"
    """Files: 'max' reads every frame as fast as the reader takes it; 'realtime' behaves as a camera."""
    duration_s: float | None = None
    """End after this much stream time."""
    preload: bool = False
    """Decode a file into memory before the start."""
    preload_limit_bytes: int = 4 << 30
    """Refuse to preload more than this."""
    read_timeout_s: float = 5.0
    """URLs: how long to wait for data; a stalled stream also delays the end of its thread by this."""
    retry_s: float = 30.0
    """URLs: give up after being without a frame this long."""
    retry_first_s: float = 0.5
    """URLs: first pause before connecting again; it doubles up to 4 s."""
    decoder_threads: int | None = None
    """Files: threads of the video decoder. None is one, which leaves the other cores to the analysis, and one a
    core for codecs whose every frame is heavy (FFV1, UT Video, ProRes)."""

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps <= 100_000:
            raise ValueError(f"fps is above 0 and at most 100,000, not {self.fps:g}")
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise ValueError(f"size is (width, height) in pixels, not {self.size}")
        if self.fourcc is not None and len(self.fourcc) != 4:
            raise ValueError(f"fourcc is four letters such as MJPG, not {self.fourcc!r}")
        if isinstance(self.exposure_ms, float) and not 0 < self.exposure_ms <= 10_000:
            raise ValueError(f"exposure is auto or milliseconds above 0, not {self.exposure_ms:g}")
        if self.pace not in ("max", "realtime"):
            raise ValueError(f"pace is 'max' or 'realtime', not {self.pace!r}")
        if self.duration_s is not None and self.duration_s <= 0:
            raise ValueError(f"duration_s must be positive, not {self.duration_s}")

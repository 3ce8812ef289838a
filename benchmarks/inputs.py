"""The frames that benchmarks run on: the bundled clip, in memory, at any size and rate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.demo.clip import TrueEvent, demo_clip, demo_truth
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.open import open_source


@dataclass(frozen=True, slots=True)
class HeldClip:
    """Frames with their times, and what happens in them."""

    frames: NDArray[np.uint8]
    """(N, H, W, 3) BGR."""
    t_ns: NDArray[np.int64]
    """(N,) from 0."""
    truth: tuple[TrueEvent, ...]

    @property
    def fps(self) -> float:
        """Mean rate of the times."""
        return float((len(self.t_ns) - 1) * 1e9 / (self.t_ns[-1] - self.t_ns[0]))

    def at_rate(self, fps: float) -> HeldClip:
        """The frames a slower camera would have taken: each the nearest in time; ValueError if faster."""
        if fps > self.fps * 1.01:
            raise ValueError(f"the clip has {self.fps:.0f} fps, not {fps:g}")
        times = np.arange(0, self.t_ns[-1] + 1, 1e9 / fps)
        nearest = np.abs(self.t_ns[None] - times[:, None]).argmin(1)
        return HeldClip(self.frames[nearest], self.t_ns[nearest], self.truth)

    def at_size(self, width: int, height: int) -> HeldClip:
        """Scaled and padded or cut to (width, height), the face keeping its proportions."""
        n, h, w, _ = self.frames.shape
        if (w, h) == (width, height):
            return self
        scale = max(width / w, height / h)
        out = np.empty((n, height, width, 3), np.uint8)
        big_w, big_h = round(w * scale), round(h * scale)
        top, left = (big_h - height) // 2, (big_w - width) // 2
        for frame, slot in zip(self.frames, out, strict=True):
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            big = cv2.resize(frame, (big_w, big_h), interpolation=how)
            slot[:] = big[top : top + height, left : left + width]
        return HeldClip(out, self.t_ns, self.truth)


def demo_recording(seconds: float | None = None) -> HeldClip:
    """The bundled 200 fps clip, or its first ``seconds``, decoded into memory (0.9 MB a frame)."""
    source = open_source(CameraConfig(source=str(demo_clip()), duration_s=seconds))
    width, height = source.size
    frames, times = [], []
    while True:
        frame = np.empty((height, width, 3), np.uint8)
        t_ns = source.fill(frame)
        if t_ns is None or (seconds is not None and t_ns >= seconds * 1e9):
            break
        frames.append(frame)
        times.append(t_ns)
    source.stop()
    t_ns_all = np.asarray(times, np.int64) - times[0]
    truth = tuple(event for event in demo_truth() if event.span.end.t_ns < t_ns_all[-1])
    return HeldClip(np.stack(frames), t_ns_all, truth)


def looped(clip: Path, out: Path, seconds: float) -> Path:
    """Write ``clip`` over and over until ``seconds`` are full; its packets are copied, not coded anew."""
    with av.open(str(out), "w") as target:
        stream, begin = None, 0
        while stream is None or begin * stream.time_base < seconds:
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                stream = stream or target.add_stream_from_template(video)
                end = begin
                for packet in source.demux(video):
                    if packet.dts is None or begin + packet.pts >= seconds / video.time_base:
                        continue
                    end = max(end, begin + packet.pts + packet.duration)
                    packet.pts, packet.dts = begin + packet.pts, begin + packet.dts
                    packet.stream = stream
                    target.mux(packet)
            begin = end
    return out

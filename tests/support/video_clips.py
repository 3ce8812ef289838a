"""Real clips and streams whose every frame carries its own number in black and white bars."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.benchmarks.inputs import demo_recording

WIDTH, HEIGHT = 128, 96
_BITS = 8


def numbered(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """A frame of 8 bars, the number in binary, over a white bottom stripe (so up is known)."""
    bits = [(number >> bit) & 1 for bit in range(_BITS)]
    row = np.repeat(np.array(bits, np.uint8) * 180 + 30, width // _BITS)
    image = np.repeat(np.tile(row, (height, 1))[:, :, None], 3, axis=2)
    image[-height // 4 :] = 255
    return np.ascontiguousarray(image)


def number_of(image: NDArray[np.uint8]) -> int:
    """Read the number back; works on any size."""
    height, width = image.shape[:2]
    bars = image[height // 8 : height // 2].mean(axis=(0, 2)).reshape(_BITS, width // _BITS).mean(axis=1)
    return int(sum(1 << bit for bit, level in enumerate(bars) if level > 120))


def frames(count: int, start: int = 0) -> list[NDArray[np.uint8]]:
    return [numbered(start + i) for i in range(count)]


def write_video(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    fps: int = 50,
    ticks: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 10_000),
    options: dict[str, str] | None = None,
    container_format: str | None = None,
) -> Path:
    """Encode ``images``; ``ticks`` gives each its own presentation time in ``time_base``."""
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if ticks is not None:
            stream.codec_context.time_base = stream.time_base = time_base
        for i, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            if ticks is not None:
                frame.pts, frame.time_base = ticks[i], time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_packets(path: Path, images: Sequence[NDArray[np.uint8]], ticks: Sequence[int]) -> None:
    """Motion JPEG in Matroska, each packet stamped as told, whatever the order."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=50)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        stream.codec_context.time_base = Fraction(1, 10_000)
        packets = [
            packet
            for image in images
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24"))
        ]
        packets += stream.encode()
        for number, (packet, tick) in enumerate(zip(packets, ticks, strict=True)):
            packet.pts, packet.dts = tick, min(tick, 200 * number)
            packet.time_base = Fraction(1, 10_000)
            container.mux_one(packet)


def write_demo(path: Path, *, seconds: float, fps: int, start_s: float = 0.0) -> Path:
    """Seconds of the demo clip, lossy: at 50 fps 2.6 s hold its first event, a surprise."""
    recording = demo_recording(seconds).at_rate(fps)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (640, 480))
    for frame in recording.frames[round(start_s * fps) :]:
        writer.write(frame)
    writer.release()
    return path


def presentation_times_s(path: Path) -> list[float]:
    """The truth, from PyAV."""
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0) if frame.time is not None]


class MjpegServer(ThreadingHTTPServer):
    """An IP camera: its n-th connection gets ``script[n]`` frames, then drops; later ones get 503."""

    daemon_threads = True

    def __init__(self, script: Sequence[int | None], stall: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = list(script)
        self.stall = stall
        self.sent = 0
        self.leave = threading.Event()
        self.url = f"http://user:secret@127.0.0.1:{self.server_port}/video"


class _Handler(BaseHTTPRequestHandler):
    server: MjpegServer

    def do_GET(self) -> None:
        if not self.server.script:
            self.send_error(503)
            return
        count = self.server.script.pop(0)
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            while (count is None or count > 0) and not self.server.leave.is_set():
                jpeg = cv2.imencode(".jpg", numbered(self.server.sent % 256))[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
                self.server.sent += 1
                count = None if count is None else count - 1
            if self.server.stall:
                self.server.leave.wait()
        except OSError:
            pass  # the viewer left

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def mjpeg_server(*script: int | None, stall: bool = False) -> Iterator[MjpegServer]:
    server = MjpegServer(script, stall)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.leave.set()
        server.shutdown()
        thread.join()
        server.server_close()

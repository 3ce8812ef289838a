"""A real browser with a camera made of a file: what `mer-bench web` and the tests of the page share."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.open import open_source

BITS, BLOCK = 12, 16
"""A frame's number in its top left corner: 12 squares of 16 px, white is 1, the lowest bit first."""


@cache
def browser_path() -> str:
    """The system's Chromium. Raises RuntimeError, one sentence, where it or its driver is missing."""
    if find_spec("playwright") is None:
        raise RuntimeError("A browser needs its driver: pip install playwright.")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise RuntimeError("No browser was found: apt-get install chromium.")
    if subprocess.run(
        [sys.executable, "-m", "playwright", "--version"], capture_output=True, check=False
    ).returncode:
        raise RuntimeError("The browser's driver does not start: apt-get install libatomic1.")
    return path


def write_camera(path: Path, fps: int, seconds: float, *, numbered: bool = False) -> Path:
    """The demo clip as a y4m that Chromium plays over and over as its camera.

    ``numbered``: each frame's number stands in its corner, as BITS and BLOCK say.
    """
    source = open_source(CameraConfig(source=str(demo_clip())))
    (width, height), rate = source.size, 200
    wanted = [round(k * rate / fps) for k in range(round(seconds * fps))]
    frame, read = np.empty((height, width, 3), np.uint8), 0
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{fps}:1 Ip A1:1 C420jpeg\n".encode())
        for number, at in enumerate(wanted):
            while read <= at and source.fill(frame) is not None:
                read += 1
            yuv = cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420)
            for bit in range(BITS if numbered else 0):
                yuv[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 235 if number >> bit & 1 else 16
            file.write(b"FRAME\n" + yuv.tobytes())
    source.stop()
    return path


def browser(playwright: Any, path: str, camera: Path | None, *, allowed: bool = True) -> Any:
    """A headless Chromium; without ``camera`` it has none."""
    arguments = ["--no-sandbox", "--disable-gpu"]
    if (shared := Path("/dev/shm")).exists() and shutil.disk_usage(shared).total < 2**28:
        arguments.append("--disable-dev-shm-usage")  # a container's 64 MB are too few for video
    if allowed:
        arguments.append("--use-fake-ui-for-media-stream")
    if camera is not None:
        arguments += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
    return playwright.chromium.launch(executable_path=path, args=arguments)


def begin(page: Any, port: int) -> None:
    """Open the page, agree, start."""
    page.goto(f"http://127.0.0.1:{port}/")
    page.check("#agree")
    page.click("#begin")

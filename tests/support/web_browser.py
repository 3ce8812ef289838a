"""The browser of `mer-bench web` for tests: where there is none they skip and say why."""

from __future__ import annotations

import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from mer_live.benchmarks.web import browser as _browser
from mer_live.benchmarks.web import server as _server
from mer_live.benchmarks.web.browser import begin, browser, write_camera

__all__ = ["PICTURE", "begin", "browser", "browser_path", "empty_room", "server", "write_camera", "write_y4m"]

PICTURE = 640 * 480 * 3 // 2
"""Bytes of a 640x480 I420 picture."""


def server(port: int, *arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """`mer-web` with one bundle: it starts a second sooner than with the three that it takes by itself."""
    return _server.server(port, "--bundle", "madtn", *arguments)


def browser_path() -> str:
    """The system's Chromium; skips the test where it or its driver is missing."""
    try:
        return _browser.browser_path()
    except RuntimeError as error:
        pytest.skip(str(error))


def write_y4m(path: Path, fps: int, pictures: list[bytes]) -> Path:
    """Pictures of 640x480 I420 as a camera's file."""
    head = f"YUV4MPEG2 W640 H480 F{fps}:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(head + b"".join(b"FRAME\n" + picture for picture in pictures))
    return path


def empty_room(path: Path) -> Path:
    """A camera that sees nothing but its own noise."""
    noise = np.random.default_rng(5).integers(118, 126, (30, PICTURE), dtype=np.uint8)
    return write_y4m(path, 30, [one.tobytes() for one in noise])

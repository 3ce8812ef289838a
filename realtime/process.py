"""What a process that runs the live path sets for itself, once."""

from __future__ import annotations

import sys

import cv2


def settle_process() -> None:
    """OpenCV on one thread, and threads that hand the interpreter over quickly.

    The cores are shared by capture, landmarks and the path itself; a worker that comes back from OpenCV must
    not wait 5 ms, Python's default, for a thread that draws or serves.
    """
    cv2.setNumThreads(1)
    sys.setswitchinterval(0.0005)

"""What a process that runs the live path sets for itself, once."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

import cv2

_BEHIND = 5
"""Steps of niceness, about a third of the weight: a frame's thread that wakes up soon has the core, and beside other
programs that are busy landmarks and engines still get on."""


def settle_process() -> None:
    """OpenCV on one thread, and threads that hand the interpreter over quickly.

    The cores are shared by capture, landmarks and the path itself; a worker that comes back from OpenCV must
    not wait 5 ms, Python's default, for a thread that draws or serves.
    """
    cv2.setNumThreads(1)
    sys.setswitchinterval(0.0005)


def step_back() -> None:
    """Let the calling thread, and those that it starts, give way to the frame path's; Linux only.

    Elsewhere threads of one process have no priorities that it may lower and threads of libraries would inherit.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):  # a sandbox may forbid it, and all runs as before
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _BEHIND)

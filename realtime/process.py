"""What a process that runs the live path sets for itself, once."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys

import cv2


def settle_process() -> None:
    """OpenCV on one thread, and threads that hand the interpreter over quickly.

    The cores are shared by capture, landmarks and the path itself; a worker that comes back from OpenCV must
    not wait 5 ms, Python's default, for a thread that draws or serves.
    """
    cv2.setNumThreads(1)
    sys.setswitchinterval(0.0005)


def settle_memory() -> None:
    """Once everything is loaded: nobody looks through it for garbage again, which would hold a frame up for a tenth
    of a second, and what loading took is given back where the C library can (glibc)."""
    gc.freeze()
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

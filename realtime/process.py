"""What a process that runs the live path sets for itself, once."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys

import cv2

_SET_THP_DISABLE = 41
"""PR_SET_THP_DISABLE of prctl(2)."""


def settle_process() -> None:
    """OpenCV on one thread, and threads that hand the interpreter over quickly.

    The cores are shared by capture, landmarks and the path itself; a worker that comes back from OpenCV must
    not wait 5 ms, Python's default, for a thread that draws or serves. Linux gives memory in small pages: to blank
    one of 2 MB, which NumPy asks for, takes 5 ms in the frame that touches it first.
    """
    cv2.setNumThreads(1)
    sys.setswitchinterval(0.0005)
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_SET_THP_DISABLE, 1, 0, 0, 0)


def settle_memory() -> None:
    """Once everything is loaded: nobody looks through it for garbage again, which would hold a frame up for a tenth
    of a second, and what loading took is given back where the C library can (glibc)."""
    gc.freeze()
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

"""What a process that runs the live path sets for itself, once."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import platform
import struct
import sys
import threading

import cv2

_BEHIND = 5
"""Steps of niceness, about a third of the weight: beside other programs that are busy landmarks and engines get on."""
_SLICE_NS = 20_000_000
"""What such a thread asks to run for at a time. Linux lets one that asks for less, as all do by themselves, have the
core as soon as it wakes up; else a frame may wait for the next tick, 4 ms."""
_SET_ATTRIBUTES = {"x86_64": 314, "aarch64": 274}
"""Number of the system call sched_setattr(2)."""


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


def step_back() -> None:
    """Let the calling thread, and those that it starts, give way to the frame path's; Linux only.

    Elsewhere threads of one process have no priorities that it may lower and threads of libraries would inherit.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        nice = min(19, os.getpriority(os.PRIO_PROCESS, thread) + _BEHIND)
        with contextlib.suppress(OSError):  # a sandbox may forbid it, and all runs as before
            os.setpriority(os.PRIO_PROCESS, thread, nice)
        call = _SET_ATTRIBUTES.get(platform.machine())
        if call is not None and os.sched_getscheduler(thread) == os.SCHED_OTHER:
            # struct sched_attr: size, policy (SCHED_NORMAL), flags, nice, priority, runtime, deadline, period
            attributes = struct.pack("=IIQiIQQQ", 48, 0, 0, nice, 0, _SLICE_NS, 0, 0)
            ctypes.CDLL(None).syscall(call, thread, attributes, 0)

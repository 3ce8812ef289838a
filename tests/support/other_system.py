"""A pytest plugin that makes this process look like Windows or macOS: MER_SYSTEM=win32 pytest -p support.other_system.

It cannot lend another system's kernel or drivers. It takes away what that system's Python does not have, so that a call
of it in our code fails as it would there. What others wrote is loaded before, and what the standard library needs at
run time stays: this is about our code.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
from importlib import import_module

SYSTEMS = {"win32": "Windows", "darwin": "Darwin"}
LOADED_BEFORE = (
    "asyncio", "av", "aiohttp", "aiortc", "concurrent.futures.process", "cv2", "ctypes.util",
    "importlib.metadata", "mediapipe", "multiprocessing", "numpy",
    "onnxruntime", "openvino", "playwright", "prometheus_client", "psutil", "pydantic", "rich.console",
    "shutil", "subprocess", "tempfile", "typer", "uuid", "webbrowser", "zoneinfo",
)  # fmt: skip
MODULES = {
    "win32": ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"),
    "darwin": (),
}
NAMES = {
    "win32": {
        os: (
            "O_NONBLOCK", "fork", "forkpty", "getegid", "geteuid", "getgid", "getloadavg", "getpgid", "getpgrp",
            "getuid", "killpg", "mkfifo", "nice", "sched_getaffinity", "sched_setaffinity", "setsid", "statvfs",
            "sysconf", "tcgetpgrp", "uname",
        ),
        signal: ("SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "alarm", "pause", "setitimer"),
    },
    "darwin": {os: ("sched_getaffinity", "sched_setaffinity")},
}  # fmt: skip


def pretend(system: str) -> None:
    """From here on this process is one of ``system``, win32 or darwin, as far as our code can see."""
    for name in LOADED_BEFORE:
        import_module(name)
    from mediapipe.tasks.python.core.mediapipe_c_bindings import load_raw_library

    load_raw_library()  # this system's, while it can still be told which
    platform.platform()  # remembered: it would ask the system's own tools
    machine = platform.machine()
    for name in MODULES[system]:
        sys.modules[name] = None  # type: ignore[assignment]
    for module, names in NAMES[system].items():
        for name in names:
            delattr(module, name)
    sys.platform = system
    platform.system = lambda: SYSTEMS[system]
    platform.machine = lambda: machine


if system := os.environ.get("MER_SYSTEM"):
    pretend(system)

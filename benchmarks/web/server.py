"""``mer-web`` in a process of its own, as a user starts it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def server(port: int, *arguments: str, said: deque[str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Up and listening; ``said`` gets the lines that it writes from then on.

    Raises RuntimeError with what it wrote when it ends instead.
    """
    command = [sys.executable, "-m", "mer_live.realtime.web", "--port", str(port), *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    lines: deque[str] = deque(maxlen=1000) if said is None else said
    try:
        assert process.stderr is not None
        before = []
        for line in process.stderr:
            before.append(line)
            if line.startswith("Open http"):
                break
        else:
            raise RuntimeError("".join(before))
        # Read on: a full pipe would stop the server at its next line.
        threading.Thread(target=lines.extend, args=(process.stderr,), daemon=True).start()
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


def free_port() -> int:
    """A TCP port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""Environments of other packages, made on demand, and commands that run with the network refused."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from mer_live.benchmarks.peers.known import Peer

logger = logging.getLogger(__name__)

_PIP_S = 1800.0
_STAMP = "peer.txt"


class PeerError(RuntimeError):
    """A peer cannot be installed or run; the message is the reason, one line."""


def python_of(peer: Peer, folder: Path) -> Path:
    """The interpreter of ``peer``: ours, or that of ``folder``/NAME, which is made unless it is complete.

    Raises PeerError when pip cannot install it.
    """
    if not peer.package:
        return Path(sys.executable)
    home = (folder / peer.name).absolute()
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = "\n".join((*peer.pins, peer.package, sys.version))
    stamp = home / _STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    logger.info("installing %s into %s (once; minutes)", peer.package, home)
    shutil.rmtree(home, ignore_errors=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _install([sys.executable, "-m", "venv", str(home)], peer)
    if peer.pins:
        _install([*pip, *peer.pins], peer)
    _install([*pip, "--no-deps", peer.package], peer)
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _install(command: list[str], peer: Peer) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"its installation took over {_PIP_S:.0f} s") from error
    if done.returncode:
        raise PeerError(f"cannot be installed here: {last_line(done.stderr)}")


@cache
def offline() -> tuple[str, ...]:
    """Command prefix that refuses all network; empty where the system cannot do that."""
    for prefix in (("unshare", "-n", "--"), ("unshare", "-r", "-n", "--")):
        if shutil.which("unshare") and not subprocess.run([*prefix, "true"], capture_output=True).returncode:
            return prefix
    return ()


def last_line(text: str) -> str:
    """The last line that says something: pip's and Python's reason."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reasons = [line for line in lines if line.lower().startswith("error:")]
    return (reasons or lines or ["no reason given"])[-1]

"""Ctrl-C while a command loads its modules: it ends like any program, and nobody reads a traceback of imports."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
INTERRUPTED = """
import os, signal, sys
from importlib.abc import MetaPathFinder

class Interrupt(MetaPathFinder):
    def find_spec(self, name, *_):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # as Python does, unless a parent has it ignored
sys.meta_path.insert(0, Interrupt())
sys.argv = [{name!r}, "--help"]
from {module} import {function}
{function}()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_while_the_modules_load_leaves_no_traceback(name: str) -> None:
    module, _, function = COMMANDS[name].partition(":")
    script = INTERRUPTED.format(name=name, module=module, function=function)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout == ""
    assert done.returncode == -signal.SIGINT

"""Neither live path nor training makes a call that only Linux has, but where it has asked which system this is."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.video_clips import write_demo

ROOT = Path(__file__).resolve().parents[1]
MODULES = {"fcntl", "termios", "resource", "pwd", "grp", "tty", "pty", "posix", "syslog", "crypt"}
CALLS = {
    "os.fork", "os.uname", "os.geteuid", "os.getuid", "os.sched_setaffinity", "os.sched_getaffinity", "os.nice",
    "os.mkfifo", "os.killpg", "os.setsid", "os.getpgid", "os.statvfs", "signal.pause", "signal.alarm",
    "signal.setitimer", "signal.SIGKILL", "signal.SIGHUP", "signal.SIGUSR1", "signal.SIGUSR2", "signal.SIGALRM",
    "time.clock_gettime_ns",
    "loop.add_signal_handler", "loop.add_reader", "socket.AF_UNIX",
}  # fmt: skip
PATHS = ("/dev/", "/proc/", "/sys/", "/tmp/")


def asked(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether the function around a node asks for the system, or for whether the name exists."""
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            text = ast.unparse(node)
            if any(
                word in text
                for word in ("sys.platform", "platform.system", "os.name", "hasattr", "NotImplementedError")
            ):
                return True
            if isinstance(node, ast.Module):
                return False
    return False


def linux_only(source: str) -> list[str]:
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names if a.name in MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            names = [node.module]
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in CALLS:
            names = [ast.unparse(node)]
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.startswith(PATHS)
            and "|" not in node.value
        ):
            names = [node.value]
        found += [f"{name} in line {node.lineno}" for name in names if not asked(node, parents)]
    return found


def test_what_is_looked_for_is_found() -> None:
    assert linux_only("import fcntl") == ["fcntl in line 1"]
    assert linux_only("import os\ndef f():\n    os.fork()") == ["os.fork in line 3"]
    assert linux_only("import os, sys\ndef f():\n    if sys.platform == 'linux':\n        os.fork()") == []
    assert linux_only("open('/proc/self/status')") == ["/proc/self/status in line 1"]


def test_what_a_user_runs_is_portable() -> None:
    files = [path for folder in ("realtime", "engines", "training") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 180
    found = {
        str(path.relative_to(ROOT)): calls for path in files if (calls := linux_only(path.read_text("utf-8")))
    }
    assert found == {}


def elsewhere(system: str, *arguments: str, folder: Path) -> str:
    """What a Python that looks like one of this system says; it must end well."""
    run = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "MER_SYSTEM": system,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]),
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.slow
@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_a_recording_is_analysed_and_recorded_on_another_system(system: str, tmp_path: Path) -> None:
    """Every module of the live path is imported there, and a clip goes the whole way from file to session."""
    write_demo(tmp_path / "a.mp4", seconds=2.6, fps=50)
    code = """
import support.other_system, pkgutil, sys
from importlib import import_module
import mer_live.engines, mer_live.realtime
from mer_live.realtime.cli.main import main
sys.modules["torch"] = None  # the base install has none, and this one is of another system
for package in (mer_live.realtime, mer_live.engines):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not found.name.endswith("__main__"):
            try:
                import_module(found.name)
            except ImportError as error:
                assert "torch" in str(error), error
sys.argv[1:] = "--video a.mp4 --no-ui --events a.jsonl --events a.csv --report a.json --record session".split()
main()
"""
    elsewhere(system, "-c", code, folder=tmp_path)
    assert "surprise" in (tmp_path / "a.csv").read_text("utf-8")
    assert (tmp_path / "session" / "session.json").exists()

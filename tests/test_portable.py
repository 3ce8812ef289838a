"""Neither live path nor training makes a call that only Linux has, but where it has asked which system this is."""

from __future__ import annotations

import ast
from pathlib import Path

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

"""What takes long to make is kept in files, named by the code that makes it."""

from __future__ import annotations

import ast
import hashlib
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from mer_live.engines.files import write_atomically

T = TypeVar("T")


def kept(path: Path, make: Callable[[], T]) -> T:
    """What ``make`` returns, from the file if it is there: what was stopped goes on where it was."""
    if path.exists():
        read: T = pickle.loads(path.read_bytes())
        return read
    made = make()
    write_atomically(path, pickle.dumps(made))
    return made


@cache
def version(*modules: ModuleType) -> str:
    """The same for the same code of files and whole packages; comments and docstrings do not count."""
    found = hashlib.sha256()
    for module in modules:
        file = Path(str(module.__file__))
        for one in sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]:
            found.update(code(one.read_text(encoding="utf-8")).encode())
    return found.hexdigest()[:12]


def code(source: str) -> str:
    """Source text as its syntax tree, without the strings that stand alone."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [s for s in body if not _said(s)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _said(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )

"""Counts what the code of the live path asks of numpy and OpenCV: calls, and operators that give arrays.

A profiler does not see them: ufuncs, dispatched functions and operators are no C functions to it. So the modules of the
path are compiled anew from their source with a counter around every call, operator, comparison and item.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import sys
import threading
from collections import Counter
from types import CodeType, ModuleType
from typing import TypeVar

import cv2
import numpy as np

T = TypeVar("T")
_NAMES = ("_mer_called", "_mer_made")
_OPENCV = {id(one) for one in vars(cv2).values()}
"""Its functions name no module."""
_PACKAGES = ("mer_live.realtime.", "mer_live.engines.")


class Counts:
    """What the thread that counts has asked for, by the line that asked."""

    def __init__(self) -> None:
        self.lines: Counter[str] = Counter()
        self.n = 0
        self.thread = 0
        """Identifier of the thread that counts; 0: none."""

    def called(self, function: T, line: str) -> T:
        """Whatever is about to be called."""
        if threading.get_ident() == self.thread and _of_numpy(function):
            self._add(line)
        return function

    def made(self, value: T, line: str) -> T:
        """What an operator gave."""
        if isinstance(value, (np.ndarray, np.generic)) and threading.get_ident() == self.thread:
            self._add(line)
        return value

    def _add(self, line: str) -> None:
        self.n += 1
        self.lines[line] += 1


def _of_numpy(function: object) -> bool:
    owner = getattr(function, "__self__", None)
    if (
        isinstance(owner, (np.ndarray, np.generic))
        or isinstance(function, np.ufunc)
        or id(function) in _OPENCV
    ):
        return True
    module = getattr(function, "__module__", None) or type(owner).__module__
    return module.partition(".")[0] in ("numpy", "cv2")


class _Around(ast.NodeTransformer):
    """Puts the counters around the expressions of one module; annotations and patterns stay as they are."""

    def __init__(self, file: str) -> None:
        self._file = file

    def _counted(self, node: ast.expr, name: str) -> ast.expr:
        line = ast.Constant(f"{self._file}:{node.lineno}")
        return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), [node, line], []), node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        node.func = self._counted(node.func, _NAMES[0])
        return node

    def _operator(self, node: ast.expr) -> ast.expr:
        self.generic_visit(node)
        return self._counted(node, _NAMES[1])

    visit_BinOp = visit_UnaryOp = visit_Compare = _operator  # noqa: N815  (ast's names)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        return self._counted(node, _NAMES[1]) if isinstance(node.ctx, ast.Load) else node

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        self.generic_visit(node)
        target = node.target
        read = target.value if isinstance(target, ast.Subscript) else target
        return [node, self._seen(read)]

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        self.generic_visit(node)
        items = [target.value for target in node.targets if isinstance(target, ast.Subscript)]
        return [node, *map(self._seen, items)]

    def _seen(self, written: ast.expr) -> ast.stmt:
        read = ast.parse(ast.unparse(written), mode="eval").body
        ast.copy_location(read, written)
        return ast.copy_location(ast.Expr(self._counted(read, _NAMES[1])), written)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return node

    def visit_MatchValue(self, node: ast.MatchValue) -> ast.MatchValue:
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        returns, node.returns = node.returns, None
        self.generic_visit(node)
        node.returns = returns
        return node


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles anew and keeps no byte code: that of the plain module stays."""

    counts: Counts

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path), path)
        file = "/".join(path.replace("\\", "/").split("/")[-2:])
        return compile(ast.fix_missing_locations(_Around(file).visit(tree)), path, "exec")

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update(zip(_NAMES, (self.counts.called, self.counts.made), strict=True))
        super().exec_module(module)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def find_spec(self, fullname, path, target=None):  # type: ignore[no-untyped-def]
        if not fullname.startswith(_PACKAGES):
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
                loader = _Loader(spec.loader.name, spec.loader.path)
                loader.counts, spec.loader = self._counts, loader
                return spec
        return None


def install() -> Counts:
    """Count in every module of the live path that is loaded from now on; RuntimeError if one is loaded already."""
    if loaded := [name for name in sys.modules if name.startswith(_PACKAGES)]:
        raise RuntimeError(f"{loaded[0]} is loaded already and would not be counted")
    counts = Counts()
    sys.meta_path.insert(0, _Finder(counts))
    return counts

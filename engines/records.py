"""Frozen dataclasses to and from JSON, strictly: unknown or missing keys and wrong types are errors."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Return what ``json.dumps`` takes: dataclasses become objects, tuples become lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v) for v in value]
    return value


def from_json(cls: type[T], data: object, where: str = "") -> T:
    """Build the dataclass ``cls`` from a decoded JSON object; ValueError names the key that is wrong."""
    where = where or cls.__name__
    if not isinstance(data, Mapping):
        raise ValueError(f"{where}: expected an object, got {data!r}")
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    if unknown := sorted(set(data) - set(known)):
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(known)}")
    required = (n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING)
    if missing := [n for n in required if n not in data]:
        raise ValueError(f"{where}: key {missing[0]!r} is missing")
    hints = get_type_hints(cls)
    return cls(**{key: _read(hints[key], value, f"{where}.{key}") for key, value in data.items()})


def _tag(option: Any) -> object:
    """Default of the field ``name``: tells the members of a union of dataclasses apart."""
    if not (isinstance(option, type) and is_dataclass(option)):
        return None
    return next((f.default for f in fields(option) if f.name == "name"), None)


def _read(hint: Any, value: Any, where: str) -> Any:
    """Check ``value`` against the annotation and turn lists into tuples, objects into dataclasses."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        options = [a for a in args if a is not type(None)]
        if isinstance(value, Mapping) and "name" in value:
            options = [o for o in options if _tag(o) in (None, value["name"])] or options
        if len(options) == 1:
            return _read(options[0], value, where)
        for option in options:
            try:
                return _read(option, value, where)
            except ValueError:
                continue
        raise ValueError(f"{where}: {value!r} fits none of {hint}")
    if origin is Literal:
        if value not in args:
            raise ValueError(f"{where}: {value!r} is not one of {', '.join(map(repr, args))}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{where}: expected a list, got {value!r}")
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_read(args[0], v, f"{where}[{i}]") for i, v in enumerate(value))
        if len(value) != len(args):
            raise ValueError(f"{where}: expected {len(args)} items, got {len(value)}")
        return tuple(_read(a, v, f"{where}[{i}]") for i, (a, v) in enumerate(zip(args, value, strict=True)))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where}: expected an object, got {value!r}")
        return {k: _read(args[1], v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(hint, type) and is_dataclass(hint):
        return value if isinstance(value, hint) else from_json(cast(type[Any], hint), value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{where}: expected {hint.__name__}, got {value!r}")
    return value

"""Settings given as text, ``KEY=VALUE``, read into the fields of a frozen config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

C = TypeVar("C")


def apply_settings(config: C, settings: Mapping[str, Any]) -> C:
    """Return the frozen config with these fields replaced; ValueError for an unknown key or a bad value."""
    known = {f.name for f in fields(cast(Any, config))}
    hints = get_type_hints(type(config))
    values: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in known:
            raise ValueError(f"unknown setting {key!r}; there are {', '.join(sorted(known))}")
        try:
            values[key] = _read(value, hints[key]) if isinstance(value, str) else value
        except ValueError as error:
            raise ValueError(f"setting {key}={value}: {error}") from error
    return cast(C, replace(cast(Any, config), **values))


def parse_settings(items: Sequence[str]) -> dict[str, str]:
    """Turn ``["lr=1e-3"]`` of the command line into a mapping; ValueError where there is no ``=``."""
    result = {}
    for item in items:
        key, sign, value = item.partition("=")
        if not sign or not key.strip():
            raise ValueError(f"--set {item!r} is not KEY=VALUE, such as lr=0.001")
        result[key.strip()] = value.strip()
    return result


def _read(text: str, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError(f"choose one of {', '.join(map(str, get_args(kind)))}")
        return text
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        return tuple(_read(part.strip(), inner) for part in text.split(",") if part.strip())
    if kind is bool:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ValueError("write true or false")
        return text.lower() in ("true", "1", "yes")
    if kind in (int, float):
        return kind(text)
    return text

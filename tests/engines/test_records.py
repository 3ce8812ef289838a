from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from mer_live.engines.records import from_json, to_json


@dataclass(frozen=True)
class Inner:
    name: Literal["inner"] = "inner"
    k: int = 1


@dataclass(frozen=True)
class Other:
    name: Literal["other"] = "other"
    x: float = 0.5


@dataclass(frozen=True)
class Outer:
    title: str
    part: Inner | Other
    pair: tuple[int, float] = (1, 2.0)
    many: tuple[Inner, ...] = ()
    limit: int | None = None
    mode: Literal["a", "b"] = "a"
    extra: Mapping[str, Any] = field(default_factory=dict)
    either: int | str = 0


def test_round_trip() -> None:
    record = Outer("t", Other(x=2.0), (3, 4.0), (Inner(k=2),), 7, "b", {"deep": [1, {"a": None}]}, "s")
    assert from_json(Outer, json.loads(json.dumps(to_json(record)))) == record


def test_defaults_and_int_for_float() -> None:
    record = from_json(Outer, {"title": "t", "part": {"name": "other", "x": 2}})
    assert record == Outer("t", Other(x=2.0))
    assert from_json(Outer, {"title": "t", "part": Inner()}).part == Inner()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"titel": "x"}, r"Outer: unknown key 'titel'; known are title, part"),
        ({"title": 3}, r"Outer.title: expected str"),
        ({"part": {"name": "other", "k": 1}}, r"Outer.part: unknown key 'k'; known are name, x"),
        ({"part": {"name": "third"}}, r"fits none"),
        ({"part": 3}, r"fits none|expected an object"),
        ({"pair": [1]}, r"Outer.pair: expected 2 items"),
        ({"pair": 1}, r"expected a list"),
        ({"many": [{"k": "1"}]}, r"Outer.many\[0\].k: expected int"),
        ({"limit": True}, r"Outer.limit: expected int"),
        ({"mode": "c"}, r"'c' is not one of 'a', 'b'"),
        ({"extra": []}, r"Outer.extra: expected an object"),
        ({"either": 1.5}, r"fits none"),
    ],
)
def test_errors_name_the_key(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_json(Outer, {"title": "t", "part": {"name": "inner"}, **change})


def test_missing_key_and_no_object() -> None:
    with pytest.raises(ValueError, match="'part' is missing"):
        from_json(Outer, {"title": "t"})
    with pytest.raises(ValueError, match="expected an object"):
        from_json(Outer, [1])

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from mer_live.engines.files import whole, write_atomically, write_json
from mer_live.engines.versions import PACKAGES, versions


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a.bin"
    write_atomically(file, b"first")
    with whole(file) as partial:
        partial.write_bytes(b"second")
        assert file.read_bytes() == b"first"  # what a reader sees meanwhile
    assert file.read_bytes() == b"second"
    with pytest.raises(TypeError):
        _break_off(file)
    assert file.read_bytes() == b"second"
    assert [f.name for f in file.parent.iterdir()] == ["a.bin"]
    assert file.stat().st_mode & 0o777 == 0o644


def _break_off(file: Path) -> None:
    with whole(file) as partial:
        partial.write_bytes(b"thi")
        raise TypeError("half way")


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    with whole(file) as one, whole(file) as other:
        assert one != other
        one.write_bytes(b"one")
        other.write_bytes(b"other")
    assert file.read_bytes() == b"one"  # the block that ended last


def test_json_takes_no_nan(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json(file, {"x": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(file, {"x": math.nan})
    assert json.loads(file.read_text()) == {"x": 1}


def test_versions_name_every_package() -> None:
    found = versions()
    assert tuple(found) == PACKAGES
    assert found["python"].count(".") == 2
    assert versions(["numpy", "no-such-package"])["no-such-package"] == "not installed"

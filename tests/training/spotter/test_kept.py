from __future__ import annotations

import json
from pathlib import Path

from mer_live.training.spotter import kept as module
from mer_live.training.spotter.kept import code, kept, version


def test_what_is_said_of_code_does_not_change_its_version() -> None:
    bare = "class A:\n    x = 1\n    def f(self):\n        return 'text'\n"
    told = '"""A file."""\n' + bare.replace(
        ":\n    x = 1", ':\n    """A thing."""\n    x = 1  # one\n    """One."""'
    )
    assert code(told) == code(bare)
    assert code(bare.replace("1", "2")) != code(bare)
    assert code(bare.replace("text", "other")) != code(bare)


def test_versions_of_packages_count_every_file() -> None:
    assert version(json) != version(module)
    assert len(version(json, module)) == 12


def test_what_is_kept_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "made.pkl"
    assert kept(path, lambda: [1]) == kept(path, lambda: [2]) == [1]

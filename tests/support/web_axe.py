"""axe-core, the accessibility checker: taken from npm once, into pytest's cache, never into the tree (MPL-2.0)."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

_VERSION = "4.14.1"


def axe_script(cache: Path) -> str:
    """The text of axe.min.js; skips the test where npm, or its registry, is not to be had."""
    path = cache / f"axe-{_VERSION}.min.js"
    if not path.exists():
        if shutil.which("npm") is None:
            pytest.skip("the accessibility test needs npm, to fetch axe-core: apt-get install npm")
        try:
            subprocess.run(
                ["npm", "pack", f"axe-core@{_VERSION}"],
                cwd=cache,
                check=True,
                capture_output=True,
                timeout=60,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            pytest.skip("axe-core cannot be fetched: the npm registry is not reached from here")
        with tarfile.open(cache / f"axe-core-{_VERSION}.tgz") as packed:
            file = packed.extractfile("package/axe.min.js")
            assert file is not None
            path.write_bytes(file.read())
    return path.read_text("utf-8")


def violations(page: Any, script: str) -> list[tuple[str, str, list[str]]]:
    """(impact, rule, elements) of what axe finds on a playwright page as it is shown now."""
    page.evaluate(f"() => {{ {script} }}")
    found: list[tuple[str, str, list[str]]] = page.evaluate(
        "() => axe.run().then((r) => r.violations.map((v) => [v.impact, v.id, v.nodes.map((n) => n.target.join())]))"
    )
    return found

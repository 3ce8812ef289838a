"""axe-core, the accessibility checker: taken from npm once, into pytest's cache, never into the tree (MPL-2.0)."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

_VERSION = "4.14.1"
_SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"


def axe_script(cache: Path) -> str:
    """The text of axe.min.js; skips the test where npm's registry is not reached."""
    path = cache / f"axe-{_VERSION}.min.js"
    if not path.exists():
        try:
            with urlopen(
                f"https://registry.npmjs.org/axe-core/-/axe-core-{_VERSION}.tgz", timeout=60
            ) as reply:
                packed = reply.read()
        except OSError as error:
            pytest.skip(f"axe-core cannot be fetched from the npm registry: {error}")
        assert hashlib.sha256(packed).hexdigest() == _SHA256
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            file = archive.extractfile("package/axe.min.js")
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

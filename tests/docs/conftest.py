"""The pages as Markdown, and the site that is built of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.site import ROOT, script


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    staged: Path = script("build").stage(tmp_path_factory.mktemp("site") / "out" / "docs")
    return staged


@pytest.fixture(scope="session")
def site(pages: Path) -> Path:
    pytest.importorskip("zensical", reason="the site needs: pip install zensical")
    folder = pages.parents[1]
    shutil.copy(ROOT / "zensical.toml", folder)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout + done.stderr
    return folder / "out" / "site"

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from support.portraits import write_faces

# One test process a core already: torch's threads on top of it wait for each other, and how many there are would
# decide the last bits of what is trained. Set before torch is loaded; child processes inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Exported once for all processes of a run; the process that starts the others makes the folder and removes it.
if "MER_TEST_BUNDLES" not in os.environ:
    os.environ["MER_TEST_BUNDLES"] = tempfile.mkdtemp(prefix="mer-live-bundles-")
    atexit.register(shutil.rmtree, os.environ["MER_TEST_BUNDLES"], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first (`make test` hands them out in this order): no process has one left at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Faces and clips that lie beside a developer's checkout and are never committed."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"development data not found at {path}")
    return path


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of five stand-in people, so that a clone alone renders, trains and makes the bundles."""
    return write_faces(tmp_path_factory.mktemp("faces"))

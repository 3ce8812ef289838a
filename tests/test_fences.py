"""What must not be imported, and where; and how large a file or a folder may become."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = [
    f for package in ("realtime", "engines", "training", "benchmarks") for f in (ROOT / package).rglob("*.py")
]
TRAINING_ONLY = ("torch", "onnx", "pandas", "matplotlib", "skimage", "scipy", "sklearn", "ray")


def imported_by(code: str) -> set[str]:
    """Top-level modules in sys.modules of a fresh interpreter after ``code``."""
    script = f"{code}\nimport sys; print('MODULES', *{{m.split('.')[0] for m in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.rpartition("MODULES")[2].split())


@pytest.mark.parametrize(
    "module", ["realtime.cli.main", "realtime.web.cli", "training.cli.main", "benchmarks.cli", "engines.cli"]
)
def test_help_imports_nothing_heavy(module: str) -> None:
    code = f"""
import sys
sys.argv = ["mer", "--help"]
from mer_live.{module} import main
try:
    main()
except SystemExit as end:
    assert end.code == 0
"""
    heavy = {"torch", "tensorrt", "tensorrt_rtx", "mediapipe", "openvino", "onnxruntime", "cv2"}
    assert not imported_by(code) & heavy


@pytest.mark.parametrize(
    "module",
    [
        "realtime.cli.run",
        "realtime.web.start",
        "engines.representation.flow",
        "engines.representation.represent",
        "engines.bundle",
        "engines.runners",
    ],
)
def test_the_live_path_needs_no_training_package(module: str) -> None:
    blocker = f"import sys; sys.modules.update(dict.fromkeys({TRAINING_ONLY!r}))"
    found = imported_by(f"{blocker}\nimport mer_live.{module}")
    assert "mer_live" in found


def test_a_class_name_means_one_thing() -> None:
    names = Counter(
        name
        for f in FILES
        for name in re.findall(r"^ *class (\w+)", f.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_files_and_folders_stay_small() -> None:
    assert [f.name for f in FILES if len(f.read_text(encoding="utf-8").splitlines()) > 300] == []
    assert [str(folder) for folder, count in Counter(f.parent for f in FILES).items() if count > 18] == []


def test_every_folder_of_tests_is_a_folder_of_the_tree() -> None:
    tests = ROOT / "tests"
    folders = {f.parent.relative_to(tests) for f in tests.rglob("test_*.py")}
    rooms = {folder for folder in folders if folder.parts and (ROOT / folder.parts[0]).is_dir()}
    assert len(rooms) > 30
    assert [str(room) for room in rooms if not (ROOT / room).is_dir()] == []

"""What must not be imported, and where."""

from __future__ import annotations

import subprocess
import sys

import pytest

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

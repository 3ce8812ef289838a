"""The wheel holds all that a user runs, and nothing but mer_live."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("realtime", "engines", "training", "benchmarks")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the working tree stays free of build folders."""
    tree = tmp_path_factory.mktemp("tree")
    for name in (*FOLDERS, "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(tree / "dist"), str(tree)], check=True, capture_output=True)
    return next((tree / "dist").glob("*.whl"))


def test_every_package_folder_is_listed() -> None:
    packages = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    on_disk = {
        "mer_live." + ".".join(init.parent.relative_to(ROOT).parts)
        for folder in FOLDERS
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert packages == on_disk


def test_the_wheel_holds_only_mer_live_and_all_its_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"mer_live"}
    for needed in (
        "mer_live/realtime/py.typed",
        "mer_live/realtime/models/face_landmarker.task",
        "mer_live/realtime/demo/demo.mp4",
        "mer_live/realtime/demo/demo.json",
        "mer_live/realtime/web/static/index.html",
        "mer_live/engines/zoo/madtn/model.onnx",
        "mer_live/engines/zoo/atnet/card.json",
    ):
        assert needed in names
    licences = {name.rsplit("/", 1)[1] for name in names if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}


def test_the_shipped_bundles_are_under_30_mb() -> None:
    files = (ROOT / "engines" / "zoo").rglob("*")
    assert sum(file.stat().st_size for file in files if file.is_file()) < 30e6


@pytest.mark.slow
def test_an_installed_wheel_runs_the_demo_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)  # all that pip does with it
    run = subprocess.run(
        [sys.executable, "-m", "mer_live.realtime.cli", "--demo"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = next(line for line in run.stdout.splitlines() if "events right in class and apex" in line)
    right, _, total, *_ = found.split()
    assert int(total) >= 3
    assert int(right) >= int(total) - 1

"""The wheel holds all that a user runs, and nothing but mer_live."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("realtime", "engines", "training", "benchmarks")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made as `python -m build` makes it: a source archive of a copy of the tree, and of that alone the wheel."""
    tree = tmp_path_factory.mktemp("tree")
    for name in (*FOLDERS, "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)
    (dist := tree / "dist").mkdir()
    hook = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", hook, str(dist)], cwd=tree, check=True, capture_output=True)
    (source,) = dist.glob("*.tar.gz")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(dist), str(source)], check=True, capture_output=True)
    return next(dist.glob("*.whl"))


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


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    """Version, programs and needs are those of pyproject.toml; the base install brings no torch."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(wheel) as packed:
        folder = next(n.split("/")[0] for n in packed.namelist() if n.endswith(".dist-info/METADATA"))
        told = Parser().parsestr(packed.read(f"{folder}/METADATA").decode())
        programs = ConfigParser()
        programs.read_string(packed.read(f"{folder}/entry_points.txt").decode())
    assert (told["Name"], told["Version"]) == ("mer-live", project["version"])
    assert f"version: {project['version']}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text()
    assert dict(programs["console_scripts"]) == project["scripts"]
    needs = told.get_all("Requires-Dist", [])
    base = [need for need in needs if "extra ==" not in need]
    assert len(base) == len(project["dependencies"])
    assert not any(need.startswith(("torch", "tensorrt", "nvidia")) for need in base)
    assert str(told.get_payload()).startswith("# mer-live")


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

"""Trees at the published counts, every reader on them, and one set through every command."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from mer_live.benchmarks.cli import app
from mer_live.benchmarks.published.bank import COURSES, FAST_FPS, FPS, ShotBank
from mer_live.benchmarks.published.commands import SETS
from mer_live.benchmarks.published.counts import COUNTS, MACRO
from mer_live.benchmarks.published.trees import megc_list, write_tree
from mer_live.realtime.types import CLASSES
from mer_live.training.datasets import read_dataset
from mer_live.training.datasets.databases.megc2019 import apply_list, read_list
from mer_live.training.datasets.sample import Reading, merge
from mer_live.training.evaluation.protocols import make_split
from mer_live.training.synthesis.batch import subjects

LARGE = {"dfme": 0.05, "bu-3dfe": 0.1, "samm-lv": 0.1, "casme3": 0.3, "mmi": 0.2}
"""Shares of databases whose trees would take a test too long."""


@pytest.fixture(scope="module")
def bank(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> ShotBank:
    """Takes of nothing: what readers do with names and numbers needs no face."""
    folder = tmp_path_factory.mktemp("bank")
    picture = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    for person in subjects(faces, "all"):
        for kind, course in COURSES.items():
            for name, fps in [*((label, FPS) for label in CLASSES), ("fast", FAST_FPS)]:
                home = folder / person / f"{kind}-{name}"
                home.mkdir(parents=True)
                for k in range(course.frames(fps)[3]):
                    (home / f"{k}.jpg").write_bytes(picture)
    return ShotBank(folder, faces, None)


@dataclass(frozen=True)
class Listed:
    """What a protocol reads of samples."""

    keys: NDArray[np.str_]
    datasets: NDArray[np.str_]
    subjects: NDArray[np.str_]
    labels: NDArray[np.int64]
    index: dict[str, NDArray[np.str_]]
    classes: tuple[str, ...] = CLASSES


def listed(reading: Reading) -> Listed:
    known = [s for s in reading.samples if s.label is not None]
    columns = [
        np.array([str(getattr(s, name)) for s in known]) for name in ("key", "dataset", "subject", "emotion")
    ]
    return Listed(*columns[:3], np.array([s.label for s in known], np.int64), {"emotion": columns[3]})


def test_the_protocols_find_the_published_counts(bank: ShotBank, tmp_path: Path) -> None:
    names = SETS[0].databases
    for name in names:
        assert write_tree(name, tmp_path / name, bank) is not None
    readings = [read_dataset(name, tmp_path / name, scheme="all") for name in names]
    assert not [skipped for reading in readings for skipped in reading.skipped]
    table = listed(merge(readings))
    for protocol, folds in (("cde", 68), ("hde", 3), ("cdmer1", 6), ("cdmer2", 6)):
        assert len(make_split(protocol, table).folds) == folds
    entries = read_list(megc_list(tmp_path / "list.csv", bank, 1.0))
    kept = apply_list(merge([readings[0], *readings[3:]]), entries)
    assert (len(kept.samples), kept.skipped) == (442, ())
    assert make_split("cde", listed(kept)).hash == make_split("cde", table).hash


@pytest.mark.parametrize("name", sorted(set(COUNTS) - set(SETS[0].databases)))
def test_every_reader_reads_all_that_its_tree_holds(name: str, bank: ShotBank, tmp_path: Path) -> None:
    share = LARGE.get(name, 1.0)
    watched = write_tree(name, tmp_path, bank, share)
    reading = read_dataset(name, tmp_path, fps=FPS if name == "own" else 0.0)
    rows = list(COUNTS[name].rows(share))
    assert reading.skipped == ()
    assert len(reading.samples) == len(rows) == (COUNTS[name].clips if share == 1 else len(rows))
    assert len({s.subject for s in reading.samples}) == len({subject for subject, _ in rows})
    macro = sum(i.kind == "macro" for video in reading.videos for i in video.intervals)
    assert macro == round(MACRO.get(name, 0) * share)
    assert watched is None or any(watched.iterdir())


@pytest.mark.slow
def test_one_set_from_its_tree_to_a_live_run(faces: Path, tmp_path: Path) -> None:
    """The command itself on a twentieth of CAS(ME)^2: four classes, both variants, long videos."""
    command = [
        "published",
        "--quick",
        "--faces",
        str(faces),
        "--out",
        str(tmp_path / "o"),
        "--only",
        "casme-sq-4",
    ]
    result = CliRunner().invoke(app, [*command, "--json", str(tmp_path / "r.json")])
    assert result.exit_code == 0, result.output
    ended, *_ = json.loads((tmp_path / "r.json").read_text())["figures"]
    assert (ended["value"], ended["n"]) == (6, 6), result.output
    spot = json.loads((tmp_path / "o" / "sets" / "casme-sq-4" / "spot" / "scores.json").read_text())
    assert spot["classes"] == [*CLASSES, "other"]
    # The same command takes what is there, and says the same.
    written = {file: file.stat().st_mtime_ns for file in (tmp_path / "o" / "done").iterdir()}
    assert CliRunner().invoke(app, command).exit_code == 0
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "o" / "done").iterdir()} == written
    assert CliRunner().invoke(app, [*command, "--only", "casme9"]).exit_code == 2

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mer_live.training.cli.main import app
from mer_live.training.prepare.config import parse_representations
from mer_live.training.prepared.prepared_set import PreparedSet
from mer_live.training.synthesis.prepared_set import SynthSet, render_set


def test_a_rendered_set_is_a_prepared_set(faces: Path, tmp_path: Path) -> None:
    specs = parse_representations("apex:size=112,frames:size=56:steps=4")
    request = SynthSet(faces, kind="macro", split="test", clips=4, representations=specs)
    done: list[int] = []
    macro = PreparedSet.open(render_set(request, tmp_path / "macro", 1, lambda n, _: done.append(n)))
    assert done == [2, 4]
    assert macro.array("apex").shape == (4, 112, 112)
    assert macro.array("frames").shape == (4, 4, 56, 56)
    assert len(set(macro.subjects)) == 2
    for person in set(macro.subjects):
        assert len(set(macro.labels[macro.subjects == person])) == 2  # clips of one person differ in class
    micro = PreparedSet.open(render_set(replace(request, kind="micro", fps=30.0), tmp_path / "micro", 1))
    # One person is one subject in both, so that macro clips of the test fold's people can be found.
    assert set(micro.subjects) == set(macro.subjects)
    assert not set(micro.keys) & set(macro.keys)

    def lengths(prepared: PreparedSet) -> list[int]:
        with (prepared.path / "index.csv").open() as file:
            return [int(r["offset"]) - int(r["onset"]) for r in csv.DictReader(file)]

    assert max(lengths(micro)) <= 17  # half a second at 30 fps, and its ends
    assert min(lengths(macro)) >= 19  # 0.65 s
    change = [np.abs(np.diff(p.array("frames").astype(int), axis=1)).mean() for p in (micro, macro)]
    assert change[1] > change[0]


def test_the_same_request_gives_the_same_bytes(faces: Path, tmp_path: Path) -> None:
    specs = parse_representations("frames:size=56:steps=3")
    request = SynthSet(faces, split="test", clips=2, fps=25.0, representations=specs)
    one, two = (render_set(request, tmp_path / str(jobs), jobs) for jobs in (1, 2))
    for name in ("frames.npy", "index.csv", "prepare.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    before = (one / "frames.npy").stat().st_mtime_ns
    assert (render_set(request, one) / "frames.npy").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="another request"):
        render_set(replace(request, seed=1), one)
    with pytest.raises(ValueError, match="no representation"):
        render_set(replace(request, representations=()), tmp_path / "x")


def test_command_says_what_is_wrong(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["synth-set", "--faces", str(tmp_path), "--out", str(tmp_path / "o")])
    assert result.exit_code == 2
    assert "no face photographs" in result.stderr

"""``mer-train export`` refuses what would run live as something else, before it trains."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.live_sets import MADTN, copy_of, evaluated, request, run, write_live_set
from torch import Tensor
from typer.testing import CliRunner

from mer_live.training.cli import main as cli
from mer_live.training.export.run import plan_export
from mer_live.training.methods.network import NetworkMethod
from mer_live.training.prepare.config import parse_representations


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_live_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def report(data: Path) -> dict[str, Any]:
    return evaluated(data)


@pytest.mark.parametrize(
    ("method", "more", "words"),
    [
        ("svm", (), "--method is one of atnet, capsulenet, dssn, dual-inception, madtn"),
        ("drls", (), "drls is no network"),
        ("madtn", ("--set", "size=14"), "--representations motion:size=14, or train with --set size=28"),
        ("madtn", ("--input", "motion=flow3"), "holds flow3, not motion"),
        ("sa-at", (), "prepare it with --representations apex:size=256"),
        ("micro-attention", ("--input", "apex=small", "--set", "size=32"), "--representations small=apex:size=32"),
        ("mtm", ("--set", "steps=4"), "map another array"),
        ("ststnet", ("--input", "flow=absent"), "absent.npy is missing"),
        ("ststnet", ("--target", "DATA"), "makes no use of target clips"),
        ("madtn", ("--target", "DATA", "--set", "mmd_weight=0"), "makes no use of target clips"),
        ("madtn", ("--protocol", "cde"), "not the published list"),
        ("madtn", ("--protocol", "loso", "--train-split"), "--train-split goes with --protocol split"),
        ("madtn", ("--database", "casme2"), "--database belongs to"),
        ("madtn", ("--scores", "absent.json"), "--scores absent.json cannot be read"),
        ("madtn", ("--licence", " "), "--licence must not be empty"),
        ("madtn", ("--name", "a+b"), "letters, digits"),
        ("madtn", ("--set", "lr"), "KEY=VALUE"),
        ("madtn", ("--representation", "uvs=motion"), "'uvs', which madtn does not use"),
        ("madtn", ("--representation", "motion"), "disagree about the array 'motion'"),
        ("madtn", ("--out", "DATA"), "is no bundle"),
    ],
)  # fmt: skip
def test_refusals_are_one_sentence_before_training(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    more: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.setattr(NetworkMethod, "fit", lambda *_, **__: pytest.fail("it was trained"))
    result = run(data, tmp_path / "b", method, *(str(data) if part == "DATA" else part for part in more))
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert result.output.strip().count("\n") == 0
    assert list(tmp_path.iterdir()) == []


def test_the_licence_is_needed(data: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli.app, ["export", "--data", str(data), "--method", "madtn", "--out", str(tmp_path / "b")]
    )
    assert result.exit_code == 2
    assert "--licence" in result.output


def test_an_array_must_be_what_was_said(data: Path, tmp_path: Path) -> None:
    mine = copy_of(data, tmp_path / "mine", "motion")
    for text, words in (
        ("", r"does not say how the array 'motion' was made: .* such as motion:flow.method=farneback"),
        ("motion:size=56", r"rows are \(28, 28, 3\), not \(56, 56, 3\)"),
        ("motion=apex:size=28", "holds apex, not motion"),
    ):
        with pytest.raises(ValueError, match=words):
            plan_export(request(mine, "madtn", representations=parse_representations(text)))
    stated = parse_representations("motion:size=28")
    np.save(mine / "motion.npy", np.load(mine / "motion.npy") / np.float32(255))
    with pytest.raises(ValueError, match="holds float32; the live path makes uint8, on another scale"):
        plan_export(request(mine, "madtn", representations=stated))
    note = json.loads((data / "prepare.json").read_text())
    shutil.copy(data / "motion.npy", mine)
    del note["representations"]["motion"]["scaling"]
    (mine / "prepare.json").write_text(json.dumps(note))
    with pytest.raises(ValueError, match="not give every parameter"):
        plan_export(request(mine, "madtn"))
    note["representations"]["motion"]["sharpness"] = 1
    (mine / "prepare.json").write_text(json.dumps(note))
    with pytest.raises(ValueError, match="unknown key 'sharpness'"):
        plan_export(request(mine, "madtn"))


def test_a_method_that_changes_its_input_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = NetworkMethod.tensors

    def shifted(self: NetworkMethod, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
        return {name: x - 0.5 for name, x in plain(self, arrays).items()}

    monkeypatch.setattr(NetworkMethod, "tensors", shifted)
    with pytest.raises(ValueError, match="in a way that a card cannot say"):
        plan_export(request(data, "ststnet"))


def test_a_target_made_in_another_way_is_refused(data: Path, tmp_path: Path) -> None:
    other = copy_of(data, tmp_path / "other", "motion")
    note = json.loads((data / "prepare.json").read_text())
    note["representations"]["motion"]["flow"]["preset"] = "medium"
    (other / "prepare.json").write_text(json.dumps(note))
    with pytest.raises(ValueError, match="made in another way"):
        plan_export(request(data, "madtn", target=other))


def test_scores_of_something_else_are_refused(
    data: Path, report: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NetworkMethod, "fit", lambda *_, **__: pytest.fail("it was trained"))
    file = tmp_path / "report.json"
    changed = json.loads(json.dumps(report["prepared"]))
    changed["representations"]["paper"]["scaling"] = "minmax"
    for key, value, words in (
        ("method", "atnet", "it scores atnet, exported is madtn"),
        ("config", report["config"] | {"lr": 0.5}, "trained with lr 0.5, exported is 0.0002"),
        ("inputs", {"motion": "motion"}, "its inputs are"),
        ("prepared", changed, "'paper' was prepared with other parameters"),
        ("sample_list", "0" * 64, "--protocol takes a protocol's clips"),
        (
            "target_domain",
            "test clips without labels",
            "trained with a target domain, exported is one without",
        ),
        ("variants", None, "is no report of mer-train evaluate"),
    ):
        file.write_text(json.dumps(report | {key: value}))
        result = run(data, tmp_path / "b", "madtn", *MADTN, "--epochs", 1, "--scores", file)
        assert result.exit_code == 2
        assert words in result.output
    file.write_text(json.dumps(report))
    result = run(data, tmp_path / "b", "madtn", *MADTN, "--epochs", 1, "--scores", file, "--train-split")
    assert "sample list" in result.output or "training part of split" in result.output
    result = run(data, tmp_path / "b", "madtn", *MADTN, "--epochs", 1, "--scores", file, "--target", data)
    assert "trained without one, exported is one with a target domain" in result.output

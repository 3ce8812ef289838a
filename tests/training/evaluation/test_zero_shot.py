"""Trained on rendered clips alone, tested on every real one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.folders import write_set
from typer.testing import CliRunner

from mer_live.training.cli.main import app
from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
from mer_live.training.evaluation.material import gather, training_side
from mer_live.training.evaluation.protocols import ProtocolError, train_on_all
from mer_live.training.evaluation.zero_shot import zero_shot
from mer_live.training.prepared.prepared_set import PreparedSet

FLOW = {"flow": "uvs28"}


def rendered(folder: Path, size: int = 28) -> Path:
    """A set that says it was rendered: other people, the same separable classes."""
    write_set(folder, subjects=3, dataset="synth", seed=7, size=size)
    (folder / "prepare.json").write_text(json.dumps({"synthetic": {"kind": "micro"}, "representations": {}}))
    return folder


def test_no_real_clip_is_trained_on_and_every_one_is_tested(tmp_path: Path) -> None:
    real = PreparedSet.open(write_set(tmp_path / "real"), FLOW)
    everything = train_on_all(real)
    split, material = zero_shot(
        everything, gather(real, everything, "svm"), rendered(tmp_path / "synth"), FLOW
    )
    (fold,) = material.folds
    assert split.folds == material.folds
    assert {name.split("/")[0] for name in training_side(material, fold).subjects} == {"synth"}
    assert {str(material.keys[r]) for r in fold.test} == set(real.keys.tolist())
    trained = material.inputs["flow"][fold.train]
    np.testing.assert_array_equal(trained, np.load(tmp_path / "synth" / "uvs28.npy"))


def test_the_command_scores_the_real_clips(tmp_path: Path) -> None:
    real, synth = write_set(tmp_path / "real"), rendered(tmp_path / "synth")
    arguments = ["zero-shot", "--data", str(real), "--synthetic", str(synth), "--method", "svm"]
    arguments += ["--input", "flow=uvs28", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["folds"] == 1
    assert report["counts"]["casme2"]["clips"] == sum(map(sum, report["confusion"])) == 24
    assert report["scores"]["full"]["uf1"] > 0.9, "classes of the stand-in are alike in both sets"
    assert report["trained_on"] == {"folder": str(synth), "synthetic": {"kind": "micro"}, "clips": 18}
    failed = CliRunner().invoke(app, [*arguments[:4], str(real), *arguments[5:]])
    assert failed.exit_code == 2
    assert "holds no rendered clips" in failed.output


def test_noise_teaches_nothing(tmp_path: Path) -> None:
    """The score is of the rendered clips' worth: rendered noise gives chance on separable real clips."""
    real = write_set(tmp_path / "real", subjects=8)
    synth = rendered(tmp_path / "synth")
    array = np.load(synth / "uvs28.npy")
    np.save(synth / "uvs28.npy", np.random.default_rng(0).integers(0, 190, array.shape).astype(np.uint8))
    report = evaluate(EvaluationRequest(real, "all", "svm", FLOW, synthetic=synth))
    assert report["scores"]["full"]["uf1"] < 0.7


def test_arrays_of_another_shape_are_refused(tmp_path: Path) -> None:
    real = PreparedSet.open(write_set(tmp_path / "real"), FLOW)
    everything = train_on_all(real)
    with pytest.raises(ProtocolError, match=r"render it with the representations"):
        zero_shot(everything, gather(real, everything, "svm"), rendered(tmp_path / "synth", size=14), FLOW)

"""Rendered clips in training: alone, with every real one tested, or beside the real ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.folders import write_set
from typer.testing import CliRunner

from mer_live.training.cli.main import app
from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
from mer_live.training.evaluation.material import gather, training_side
from mer_live.training.evaluation.protocols import ProtocolError, make_split, train_on_all
from mer_live.training.evaluation.zero_shot import mixed, zero_shot
from mer_live.training.learning.data import Labelled
from mer_live.training.methods import make_method
from mer_live.training.methods.network import _drawn
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


def test_rendered_clips_join_the_training_side_and_nobody_who_is_tested(tmp_path: Path) -> None:
    """Also where the real set was rendered itself, of the same people."""
    real = PreparedSet.open(write_set(tmp_path / "real", dataset="synth"), FLOW)
    split = make_split("loso", real)
    material = gather(real, split, "svm")
    synthetic = rendered(tmp_path / "synth")
    found, both = mixed(split, material, synthetic, FLOW, 0.2)
    assert [fold.name for fold in found.folds] == [fold.name for fold in split.folds]
    for fold, plain in zip(found.folds, split.folds, strict=True):
        side = training_side(both, fold)
        assert not set(side.subjects.tolist()) & set(real.subjects[plain.test].tolist())
        assert side.weights is not None
        assert (side.weights[: len(plain.train)] == 1).all()
        others = side.weights[len(plain.train) :]
        assert len(others) in (12, 18)  # three rendered people of six clips, one of whom may be tested
        assert (others == 0.2).all()
        assert (fold.test == plain.test).all()


@pytest.mark.parametrize(
    ("method", "settings"),
    [("svm", {}), ("ststnet", {"epochs": 3, "batch": 8}), ("madtn", {"epochs": 2, "size": 28, "hidden": 8})],
)
def test_mixing_changes_what_is_learnt_and_is_told(
    tmp_path: Path, method: str, settings: dict[str, Any]
) -> None:
    data, synth = write_set(tmp_path / "real", signal=0), rendered(tmp_path / "synth")
    inputs = {"motion": "uvs28"} if method == "madtn" else FLOW
    plain = EvaluationRequest(data, "loso", method, inputs, settings)
    weighted = replace(plain, synthetic=synth, synthetic_weight=0.5)
    alone, beside, again = evaluate(plain), evaluate(weighted), evaluate(weighted)
    assert beside["mixed_in"] == {**beside["mixed_in"], "clips": 18, "weight": 0.5}
    assert beside["confusion"] == again["confusion"]
    assert beside["fingerprint"] not in (alone["fingerprint"], zero_fingerprint(plain, synth))
    assert beside["folds"] == alone["folds"] == 4
    assert beside["counts"] == alone["counts"]


def zero_fingerprint(plain: EvaluationRequest, synth: Path) -> str:
    return str(evaluate(replace(plain, synthetic=synth))["fingerprint"])


def test_a_share_of_each_class_is_drawn_anew_in_every_epoch() -> None:
    labels = np.repeat([0, 1, 2], [10, 20, 4])
    weights = np.where(np.arange(34) % 2, 0.2, 1.0)
    train = Labelled({}, labels, np.array(["a/1"] * 34), weights=weights)
    rng = np.random.default_rng(0)
    epochs = [_drawn(train, rng) for _ in range(20)]
    for shown in epochs:
        assert np.isin(np.flatnonzero(weights == 1), shown).all()
        assert np.bincount(labels[shown[weights[shown] < 1]], minlength=3).tolist() == [1, 2, 0]
    assert len({tuple(shown.tolist()) for shown in epochs}) > 5


def test_an_svm_weighs_by_its_penalty() -> None:
    """Of weight 1 a rendered clip is as any other; a small weight takes it nearly away."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 0.5, (20, 4)), rng.normal(3, 0.5, (20, 4))])
    y = np.repeat([0, 1], 20)
    misleading = rng.normal(6, 0.3, (60, 4))  # of class 0, on the far side of class 1
    subjects = np.array(["a/1"] * 100)
    found = []
    for weight in (None, 1.0, 1e-3):
        weights = None if weight is None else np.r_[np.ones(40), np.full(60, weight)]
        train = Labelled({"v": np.r_[x, misleading]}, np.r_[y, np.zeros(60, int)], subjects, weights=weights)
        model = make_method("svm", {"kernel": "linear"})
        model.fit(train)
        found.append(float((model.predict({"v": x}).argmax(1) == y).mean()))
    assert found[0] == found[1] < 0.7
    assert found[2] > 0.9


@pytest.mark.parametrize(
    ("method", "weight", "words"),
    [
        ("svm", 0.0, "above 0 and at most at 1"),
        ("svm", 1.5, "at most at 1"),
        ("tca", 0.2, "cannot weigh clips"),
    ],
)
def test_what_cannot_be_mixed_is_refused(tmp_path: Path, method: str, weight: float, words: str) -> None:
    real = PreparedSet.open(write_set(tmp_path / "real"), FLOW)
    split = make_split("loso", real)
    with pytest.raises(ValueError, match=words):
        mixed(
            split, gather(real, split, method, {"feature": "raw"}), rendered(tmp_path / "synth"), FLOW, weight
        )


def test_the_command_mixes_a_folder_in_and_asks_for_faces(tmp_path: Path) -> None:
    real, synth = write_set(tmp_path / "real"), rendered(tmp_path / "synth")
    base = ["evaluate", "--data", str(real), "--protocol", "loso", "--method", "svm", "--jobs", "1"]
    base += ["--input", "flow=uvs28", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*base, "--synthetic", str(synth), "--synthetic-weight", "0.3"])
    assert done.exit_code == 0, done.output
    assert "beside them in training: 18 rendered clips of weight 0.3" in done.output
    done = CliRunner().invoke(app, [*base, "--synthetic", "12"], env={"MER_FACES": ""})
    assert done.exit_code == 2
    assert "--faces" in done.output
    done = CliRunner().invoke(app, [*base, "--synthetic", "12", "--faces", str(tmp_path)])
    assert done.exit_code == 2
    assert "does not say how the arrays were made" in done.output

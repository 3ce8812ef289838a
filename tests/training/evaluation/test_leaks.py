"""One planted leak of each kind that published code has; the interface refuses it, or scores do not move."""

from __future__ import annotations

import dataclasses
import inspect
import random
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.folders import write_set

from mer_live.training import methods
from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
from mer_live.training.evaluation.material import Job, gather, run_job, target_side, training_side
from mer_live.training.evaluation.protocols import Fold, ProtocolError, assert_disjoint, make_split
from mer_live.training.learning import trainer
from mer_live.training.learning.data import Labelled, Unlabelled
from mer_live.training.methods import make_method, register
from mer_live.training.methods.svm import Svm
from mer_live.training.prepared.prepared_set import PreparedSet

SMALL: dict[str, dict[str, Any]] = {
    "madtn": {"size": 28, "epochs": 2, "hidden": 8, "batch": 8},
    "ststnet": {"epochs": 2, "batch": 8, "lr": 1e-3},
    "svm": {},
}
NAMES = {"madtn": "motion", "ststnet": "flow", "svm": "flow"}


def run(folder: Path, method: str, **more: Any) -> dict[str, Any]:
    return evaluate(
        EvaluationRequest(folder, "loso", method, {NAMES[method]: "uvs28"}, SMALL[method], **more)
    )


def predictions(folder: Path, method: str, fold: int, stacked: bool = True) -> np.ndarray:
    prepared = PreparedSet.open(folder, {NAMES[method]: "uvs28"})
    material = gather(prepared, make_split("loso", prepared), method, SMALL[method], stacked=stacked)
    (result,) = run_job(material, Job(0, (fold,)))
    return np.array(result.probabilities["annotated"])


def test_fit_takes_no_test_fold() -> None:
    """Leak 1, the best test epoch: there is nothing to choose an epoch by but the training side."""
    for name in ("madtn", "atnet", "ststnet", "svm"):
        method = make_method(name)
        parameters = list(inspect.signature(method.fit).parameters)
        assert parameters == ["train", "target_unlabelled", "seed"], name
        config = method.config
        assert getattr(config, "inner_fraction", 0) == 0, "fixed last epoch by default"
    assert {f.name for f in dataclasses.fields(Unlabelled)} == {"inputs"}
    loop = inspect.signature(trainer.train_network).parameters
    assert not any("test" in name for name in loop)
    with pytest.raises(TypeError):
        make_method("svm").fit(None, test=None)  # type: ignore[call-arg, arg-type]


@pytest.mark.parametrize("method", sorted(SMALL))
def test_labels_of_the_test_fold_reach_nothing(tmp_path: Path, method: str) -> None:
    """Leaks 1 and 3: with the held-out subject's labels turned round, its predictions are the same bits."""
    folder = write_set(tmp_path / "D", signal=15)
    before = predictions(folder, method, 1)
    lines = (folder / "index.csv").read_text().splitlines()
    for k, line in enumerate(lines):
        cells = line.split(",")
        if cells[2] == "sub02":
            cells[3] = str((int(cells[3]) + 1) % 3)
            lines[k] = ",".join(cells)
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    assert np.array_equal(before, predictions(folder, method, 1))


@pytest.mark.parametrize("method", sorted(SMALL))
def test_statistics_come_from_the_training_side(tmp_path: Path, method: str) -> None:
    """Leak 3: all but one of the test clips become wild outliers; the one left is judged as before."""
    folder = write_set(tmp_path / "D", signal=15)
    before = predictions(folder, method, 0)
    images = np.load(folder / "uvs28.npy")
    images[1:6] = 255
    np.save(folder / "uvs28.npy", images)
    assert np.allclose(before[0], predictions(folder, method, 0)[0], atol=1e-6)


def test_stacked_folds_do_not_touch_each_other(tmp_path: Path) -> None:
    """The pool of a stacked run holds other folds' training clips: a fold is as if it were alone."""
    folder = write_set(tmp_path / "D", signal=15)
    prepared = PreparedSet.open(folder, {"flow": "uvs28"})
    material = gather(prepared, make_split("loso", prepared), "ststnet", SMALL["ststnet"])
    alone = [run_job(material, Job(0, (k,)))[0] for k in range(4)]
    together = run_job(material, Job(0, (0, 1, 2, 3)))
    for a, b in zip(alone, together, strict=True):
        assert np.allclose(a.probabilities["annotated"], b.probabilities["annotated"], atol=1e-3)


def test_scores_are_pooled_over_folds(tmp_path: Path) -> None:
    """Leak 2: the report's UF1 is that of the pooled confusion, and differs from the folds' mean."""
    report = run(write_set(tmp_path / "D", subjects=5, signal=4), "svm")
    counts = np.array(report["confusion"], float)
    hit = counts.diagonal()
    f1 = 2 * hit / (counts.sum(0) + counts.sum(1))
    assert report["scores"]["full"]["uf1"] == pytest.approx(f1.mean())
    assert counts.sum() == 30


def test_a_clip_or_subject_on_both_sides_is_refused(tmp_path: Path) -> None:
    """Leak 4."""
    prepared = PreparedSet.open(write_set(tmp_path / "D"), {"flow": "uvs28"})
    with pytest.raises(ProtocolError, match="in training and in test"):
        assert_disjoint(Fold("x", np.arange(8), np.arange(8, 24)), prepared.subjects)
    with pytest.raises(ValueError, match="named twice"):
        prepared.subset([0, 0, 1])
    for fold in make_split("loso", prepared).folds:
        assert not set(prepared.subjects[fold.train]) & set(prepared.subjects[fold.test])


def test_copies_stay_with_their_clip(tmp_path: Path) -> None:
    """Leak 4: middle frames of a held-out clip are not among the training copies."""
    folder = write_set(tmp_path / "D")
    (folder / "copies").mkdir()
    images = np.load(folder / "uvs28.npy")
    of = np.repeat(np.arange(24), 2)
    np.save(folder / "copies" / "uvs28.npy", images[of] // 2)
    np.save(folder / "copies" / "uvs28.rows.npy", of)
    prepared = PreparedSet.open(folder, {"motion": "uvs28"})
    material = gather(prepared, make_split("loso", prepared), "madtn", SMALL["madtn"])
    for fold in material.folds:
        side = training_side(material, fold)
        copies, rows = side.copies["motion"]
        assert len(copies) == 36
        assert set(material.subjects[fold.train][rows]) == set(side.subjects)
        assert np.array_equal(copies, side.inputs["motion"][rows] // 2)


def test_the_target_domain_carries_no_label(tmp_path: Path) -> None:
    """Leak 3: CDMER hands out the test clips' inputs, to methods that adapt, and to nobody in LOSO."""
    prepared = PreparedSet.open(write_set(tmp_path / "D"), {"motion": "uvs28"})
    material = gather(prepared, make_split("loso", prepared), "madtn", SMALL["madtn"])
    madtn = make_method("madtn", SMALL["madtn"])
    assert target_side(material, material.folds[0], madtn) is None
    adapting = dataclasses.replace(material.folds[0], adapt=True)
    target = target_side(material, adapting, madtn)
    assert target is not None
    assert list(target.inputs) == ["motion"]
    assert target_side(material, adapting, Svm()) is None


def test_augmentation_is_off_at_test() -> None:
    """Leak 6: predicting twice gives the same bits, also where training rotates and drops out."""
    rng = np.random.default_rng(0)
    train = Labelled(
        {"motion": rng.integers(0, 255, (12, 28, 28, 3)).astype(np.uint8)},
        np.arange(12) % 3,
        np.array([f"d/{k}" for k in range(12)]),
    )
    model = make_method("madtn", {**SMALL["madtn"], "dropout": 0.5})
    model.fit(train, seed=0)
    assert np.array_equal(model.predict(train.inputs), model.predict(train.inputs))
    one_by_one = [model.predict({"motion": train.inputs["motion"][k : k + 1]})[0] for k in range(12)]
    assert np.allclose(one_by_one, model.predict(train.inputs), atol=1e-5)


@pytest.mark.parametrize("method", ["madtn", "ststnet"])
def test_nothing_is_unseeded(tmp_path: Path, method: str) -> None:
    """Leak 7: whatever the global generators hold, a seed gives its scores; another seed gives others."""
    folder = write_set(tmp_path / "D", signal=15)
    found = []
    for noise in (1, 2):
        random.seed(noise)
        np.random.seed(noise)
        torch.manual_seed(noise)
        found.append(predictions(folder, method, 0))
    assert np.array_equal(found[0], found[1])
    report = run(folder, method, seeds=(0, 1))
    assert set(report["scores"]["full"]["seeds"]) == {"0", "1"}


class Peeking(Svm):
    """A cheat that keeps every label it is given, to find the test clips' among them."""

    seen: list[set[str]] = []  # noqa: RUF012

    def fit(self, train: Labelled, target_unlabelled: Unlabelled | None = None, seed: int = 0) -> None:
        Peeking.seen.append(set(train.subjects.tolist()))
        super().fit(train, target_unlabelled, seed)


def test_a_method_that_looks_for_the_test_fold_finds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_set(tmp_path / "D")
    module = types.ModuleType("peeking_method")
    vars(module)["Peeking"] = Peeking
    monkeypatch.setitem(sys.modules, "peeking_method", module)
    monkeypatch.setattr(methods, "_METHODS", dict(methods._METHODS))  # gone again after the test
    register("peeking", "peeking_method:Peeking")
    evaluate(EvaluationRequest(folder, "loso", "peeking", {"flow": "uvs28"}))
    everyone = {f"casme2/{k:03d}" for k in range(1, 5)}
    assert [everyone - seen for seen in Peeking.seen] == [{name} for name in sorted(everyone)]
    assert all(len(seen) == 3 for seen in Peeking.seen)


def test_another_clip_list_has_another_hash(tmp_path: Path) -> None:
    """Leak 8."""
    a, b = run(write_set(tmp_path / "a"), "svm"), run(write_set(tmp_path / "b", clips=5), "svm")
    assert a["sample_list"] != b["sample_list"]
    assert a["counts"]["casme2"]["clips"] == 24
    assert b["counts"]["casme2"]["clips"] == 20

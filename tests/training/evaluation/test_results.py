"""Predictions and learning curves on disk."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from support.folders import write_set
from typer.testing import CliRunner

from mer_live.realtime.types import CLASSES
from mer_live.training.cli.main import app
from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
from mer_live.training.learning.pretrain import load
from mer_live.training.methods import make_method
from mer_live.training.metrics import confusion
from mer_live.training.prepared.prepared_set import PreparedSet


def table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_predictions_give_the_confusion_of_the_report(tmp_path: Path) -> None:
    data = write_set(tmp_path / "D")
    request = EvaluationRequest(data, "loso", "svm", {"flow": "uvs28"}, seeds=(0, 3))
    report = evaluate(request, out=tmp_path / "out")
    rows = table(tmp_path / "out" / "predictions.csv")
    assert len(rows) == 2 * 24
    assert {row["seed"] for row in rows} == {"0", "3"}
    assert {row["variant"] for row in rows} == {"annotated"}
    assert all(row["fold"] == row["subject"] for row in rows)
    counts = confusion(*([CLASSES.index(row[name]) for row in rows] for name in ("label", "predicted")))
    assert counts.tolist() == report["confusion"] == report["confusion_of"]["casme2"]
    for row in rows:
        p = [float(row[f"prob_{name}"]) for name in CLASSES]
        assert sum(p) == pytest.approx(1, abs=1e-4)
        assert row["predicted"] == CLASSES[int(np.argmax(p))]


def two_cameras(folder: Path) -> Path:
    """The same four people before two cameras of SMIC."""
    parts = [write_set(folder / n, dataset=n, seed=k) for k, n in enumerate(("smic-hs", "smic-vis"))]
    whole = folder / "both"
    whole.mkdir()
    lines = [(part / "index.csv").read_text().splitlines() for part in parts]
    (whole / "index.csv").write_text("\n".join([*lines[0], *lines[1][1:]]) + "\n")
    np.save(whole / "motion.npy", np.concatenate([np.load(part / "uvs28.npy") for part in parts]))
    return whole


def test_each_task_has_a_confusion_of_its_own(tmp_path: Path) -> None:
    request = EvaluationRequest(
        two_cameras(tmp_path), "cdmer1", "tca", {"any": "motion"}, {"feature": "raw"}, partial=True
    )
    report = evaluate(request)
    assert set(report["confusion_of"]) == {"H>V", "V>H"} == set(report["scores"]) - {"full"}
    assert np.sum(report["confusion_of"]["H>V"]) == 24
    assert np.sum(list(report["confusion_of"].values()), axis=0).tolist() == report["confusion"]


def test_curves_hold_every_term_of_every_epoch(tmp_path: Path) -> None:
    data = write_set(tmp_path / "D")
    arguments = ["evaluate", "--data", str(data), "--protocol", "loso", "--method", "madtn", "--jobs", "1"]
    arguments += [
        "--input",
        "motion=uvs28",
        "--epochs",
        "2",
        "--set",
        "hidden=8",
        "--out",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "out" / "curves.csv").exists()
    done = CliRunner().invoke(app, [*arguments, "--log", "--resume"])
    assert done.exit_code == 0, done.output
    rows = table(tmp_path / "out" / "curves.csv")
    assert [(row["fold"], row["epoch"]) for row in rows[:3]] == [
        ("casme2/001", "1"),
        ("casme2/001", "2"),
        ("casme2/002", "1"),
    ]
    assert len(rows) == 4 * 2
    assert all(float(row["cross_entropy"]) > 0 and float(row["total"]) > 0 for row in rows)


def test_the_mmd_of_each_epoch_is_kept(tmp_path: Path) -> None:
    settings = {"epochs": 2, "hidden": 8}
    request = EvaluationRequest(two_cameras(tmp_path), "cdmer1", "madtn", {}, settings, partial=True)
    evaluate(request, out=tmp_path / "out", log_curves=True)
    rows = table(tmp_path / "out" / "curves.csv")
    assert len(rows) == 2 * 2
    assert all(np.isfinite(float(row["mmd"])) for row in rows)


@pytest.mark.parametrize("stacked", [True, False])
def test_the_weights_of_a_fold_give_its_predictions_again(tmp_path: Path, stacked: bool) -> None:
    data, out = write_set(tmp_path / "D"), tmp_path / "out"
    request = EvaluationRequest(
        data, "loso", "ststnet", {"flow": "uvs28"}, {"epochs": 2, "batch": 8}, stacked=stacked
    )
    evaluate(request, out=out, keep_weights=True)
    rows = [row for row in table(out / "predictions.csv") if row["fold"] == "casme2/002"]
    folder = out / "weights" / "seed-0" / "casme2_002"
    kept = load(folder, barred=["casme2/002"])
    with pytest.raises(ValueError, match="have seen casme2/001, who is to be tested"):
        load(folder, barred=["casme2/001"])
    model = make_method("ststnet", {"epochs": 2, "batch": 8})
    model.network = kept.network
    prepared = PreparedSet.open(data, {"flow": "uvs28"})
    mine = prepared.subset(prepared.subjects == "casme2/002")
    again = model.predict({"flow": mine.array("flow")})
    written = [[float(row[f"prob_{name}"]) for name in CLASSES] for row in rows]
    np.testing.assert_allclose(again, written, atol=1e-5)


def test_an_svm_has_no_weights_to_keep(tmp_path: Path) -> None:
    request = EvaluationRequest(write_set(tmp_path / "D"), "loso", "svm", {"flow": "uvs28"})
    with pytest.raises(ValueError, match="svm has no network"):
        evaluate(request, out=tmp_path / "out", keep_weights=True)

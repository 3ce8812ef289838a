"""A set of five classes from its index to the events of a live run."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.folders import write_set
from support.live_sets import run, write_live_set
from support.random_bundles import random_bundle
from typer.testing import CliRunner

from mer_live.engines.bundle import Bundle, load_bundle
from mer_live.engines.errors import BundleError
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.session.read import read_session
from mer_live.training.cli import main as cli
from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
from mer_live.training.evaluation.protocols import ProtocolError
from mer_live.training.learning.macro import macro_side
from mer_live.training.prepared.index import PreparedError
from mer_live.training.prepared.prepared_set import PreparedSet

FIVE = ("disgust", "happiness", "other", "repression", "surprise")


def named(folder: Path, names: tuple[str, ...] = FIVE) -> Path:
    """Give the clips of a set these classes in turn, and say so."""
    rows = [line.split(",") for line in (folder / "index.csv").read_text().splitlines()]
    for k, row in enumerate(rows[1:]):
        row[3] = names[k % len(names)]
    (folder / "index.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    note = folder / "prepare.json"
    known = json.loads(note.read_text()) if note.is_file() else {}
    note.write_text(json.dumps({**known, "classes": list(names)}))
    return folder


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 clips of 4 people; class c is bright in its own fifth of the picture."""
    folder = named(write_set(tmp_path_factory.mktemp("five") / "set", signal=0))
    images = np.load(folder / "uvs28.npy")
    for k, image in enumerate(images):
        place = 5 * (k % 5)
        image[place : place + 5] += 90
    np.save(folder / "uvs28.npy", images)
    return folder


def test_the_set_knows_its_classes(five: Path, tmp_path: Path) -> None:
    prepared = PreparedSet.open(five)
    assert prepared.classes == prepared.subset([1, 2]).classes == FIVE
    assert prepared.labels.tolist()[:6] == [0, 1, 2, 3, 4, 0]
    assert prepared.counts["casme2"]["repression"] == 5
    other = shutil.copytree(five, tmp_path / "set")
    (other / "prepare.json").unlink()
    with pytest.raises(PreparedError, match=r"unknown label 'disgust': allowed are negative \(0\)"):
        PreparedSet.open(other)
    (other / "prepare.json").write_text('{"classes": ["disgust"]}')
    with pytest.raises(PreparedError, match="two or more different names"):
        PreparedSet.open(other)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("svm", {"kernel": "linear"}),
        ("tca", {"feature": "raw"}),
        ("ststnet", {"epochs": 100, "lr": 5e-3, "batch": 8}),
        ("off-apexnet", {"epochs": 12, "lr": 1e-3, "batch": 8}),
    ],
)
def test_five_classes_are_learnt_and_scored(five: Path, method: str, settings: dict[str, Any]) -> None:
    report = evaluate(EvaluationRequest(five, "loso", method, {"flow": "uvs28"}, settings))
    assert report["classes"] == list(FIVE)
    assert np.shape(report["confusion"]) == (5, 5)
    assert np.sum(report["confusion"]) == 24
    assert set(report["per_class"]) == set(FIVE)
    assert report["scores"]["full"]["uf1"] > 0.5  # a guess has .2
    assert report["counts"]["casme2"]["other"] == 5


def test_the_command_prints_the_names(five: Path, tmp_path: Path) -> None:
    arguments = (
        f"evaluate --data {five} --protocol loso --method svm --input flow=uvs28 --jobs 1 --out {tmp_path}"
    )
    done = CliRunner().invoke(cli.app, arguments.split())
    assert done.exit_code == 0, done.output
    assert "5 disgust, 5 happiness, 5 other, 5 repression, 4 surprise" in done.output


def test_protocols_of_three_classes_and_macro_sets_of_others_are_refused(five: Path, tmp_path: Path) -> None:
    for protocol in ("cde", "hde", "cdmer1"):
        with pytest.raises(ProtocolError, match="prepare one without --classes"):
            evaluate(EvaluationRequest(five, protocol, "svm", {"flow": "uvs28"}, partial=True))
    macro = write_set(tmp_path / "macro", dataset="synth")
    with pytest.raises(ValueError, match="negative, positive, surprise instead of disgust"):
        macro_side(macro, {"uvs28": None}, classes=FIVE)
    (macro / "prepare.json").write_text(json.dumps({"synthetic": {"kind": "micro"}}))
    with pytest.raises(ProtocolError, match="was rendered in the classes negative"):
        evaluate(EvaluationRequest(five, "all", "svm", {"flow": "uvs28"}, synthetic=macro))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    data = named(write_live_set(tmp_path_factory.mktemp("live")))
    out = tmp_path_factory.mktemp("bundles") / "five"
    done = run(data, out, "madtn", "--set", "hidden=8", "--epochs", 1, "--name", "five")
    assert done.exit_code == 0, done.output
    return load_bundle(out)


def test_the_card_names_the_classes(bundle: Bundle) -> None:
    assert bundle.card.classes == FIVE
    assert bundle.card.network.config["classes"] == 5
    assert "2 disgust, 1 happiness, 1 other, 1 repression, 1 surprise" in bundle.card.data


def test_bundles_of_different_classes_are_not_averaged(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="bundles of different classes cannot be averaged"):
        Recognizer([bundle, random_bundle("madtn")])
    command = [sys.executable, "-m", "mer_live.realtime.cli.main", "--video", str(demo_clip()), "--no-ui"]
    command += ["--bundle", str(bundle.path), "--bundle", str(random_bundle("madtn").path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 4
    assert "cannot be averaged" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_live_run_names_its_classes_everywhere(bundle: Bundle, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mer_live.realtime.cli.main", "--video", str(demo_clip())]
    command += ["--duration", "1.9", "--bundle", str(bundle.path), "--record", str(tmp_path / "session")]
    command += ["--events", str(tmp_path / "e.jsonl"), "--events", str(tmp_path / "e.csv")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    final = next(event for event in events if event.get("state") == "final")
    assert tuple(final["probs"]) == FIVE
    assert final["label"] == max(final["probs"], key=final["probs"].get)
    with (tmp_path / "e.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["state"] == "final")
    assert [float(row[f"prob_{name}"]) for name in FIVE] == list(final["probs"].values())
    assert "prob_negative" not in row
    assert "repression" in done.stdout
    assert read_session(tmp_path / "session").classes == FIVE
    exported = [sys.executable, "-m", "mer_live.realtime.cli.main", "export", str(tmp_path / "session")]
    done = subprocess.run(
        [*exported, "--to", "bids"], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    (table,) = (tmp_path / "session").glob("*_events.tsv")
    assert "prob_repression" in table.read_text().splitlines()[0]

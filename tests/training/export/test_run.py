"""``mer-train export``: what is trained is what runs live."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.live_sets import ARRAYS, CLIPS, MADTN, clip_of, copy_of, evaluated, request, run, write_live_set

from mer_live.engines.bundle import load_bundle
from mer_live.engines.representation.represent import network_input, represent
from mer_live.engines.runners import open_runner
from mer_live.realtime.demo.clip import demo_clip
from mer_live.training.evaluation.material import Job, gather, run_job
from mer_live.training.evaluation.protocols import make_split
from mer_live.training.export.plan import ExportRequest
from mer_live.training.export.run import plan_export, train
from mer_live.training.prepare.config import parse_representations
from mer_live.training.prepared.prepared_set import PreparedSet


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_live_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def report(data: Path) -> dict[str, Any]:
    return evaluated(data)


@pytest.mark.parametrize(
    ("method", "settings", "inputs"),
    [
        ("madtn", {}, {}),
        ("madtn", {}, {"motion": "paper"}),
        *[("madtn", {"channels": c}, {}) for c in ("face", "onof-face", "onof-offof")],
        ("atnet", {}, {}),
        ("atnet", {"size": 112, "recipe": "as_coded"}, {}),
        ("atnet", {"variant": "temporal"}, {}),
        ("micro-attention", {"size": 64}, {"apex": "small"}),
        ("micro-attention", {}, {}),
        ("capsulenet", {"size": 96}, {}),
        ("sa-at", {"size": 100}, {}),
        ("mtm", {"frames": "difference"}, {}),
        ("mtm", {"size": 224}, {}),
        ("ststnet", {}, {}),
        ("ststnet", {}, {"flow": "px"}),
        ("off-apexnet", {}, {}),
        ("dual-inception", {}, {"flow": "px"}),
    ],
)
def test_the_live_path_computes_what_training_saw(
    data: Path, method: str, settings: dict[str, Any], inputs: dict[str, str]
) -> None:
    plan = plan_export(request(data, method, settings=settings, inputs=inputs))
    assert len(plan.rows) == len(plan.inputs)
    tensors = plan.model.tensors(plan.rows)
    for live in plan.inputs.values():
        shown = [network_input(represent(clip_of(row), live.spec), live.spec) for row in range(CLIPS)]
        np.testing.assert_array_equal(np.stack(shown), tensors[live.spec.name].numpy())


def test_it_is_the_network_of_a_fold(data: Path) -> None:
    """Trained on the training part alone, the network is the very one that the evaluation tested."""
    settings = {"epochs": 2, "hidden": 8}
    prepared = PreparedSet.open(data)
    material = gather(prepared, make_split("split", prepared), "madtn", settings)
    (result,) = run_job(material, Job(3, (0,)))
    model = train(plan_export(request(data, "madtn", settings=settings, seed=3, train_split=True)))
    expected = result.probabilities["annotated"]
    np.testing.assert_array_equal(
        model.predict({"motion": prepared.array("motion")[4:]}), np.float32(expected)
    )


@pytest.fixture(scope="module")
def bundle(data: Path, report: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """MADTN with its scores, and what the command said."""
    folder = tmp_path_factory.mktemp("bundles")
    (folder / "report.json").write_text(json.dumps(report))
    more = ("--epochs", 1, "--scores", folder / "report.json", "--name", "mine")
    result = run(data, folder / "madtn", "madtn", *MADTN, *more)
    assert result.exit_code == 0, result.output
    return folder / "madtn", result.output


def test_the_card(data: Path, report: dict[str, Any], bundle: tuple[Path, str]) -> None:
    card = load_bundle(bundle[0]).card
    assert (card.name, card.licence, card.attribution) == ("mine", "own", "x")
    (motion,) = card.inputs
    assert motion.representation == dict(parse_representations(ARRAYS))["paper"]
    assert card.data.startswith("casme2: 6 clips of 3 subjects (2 negative, 2 positive, 2 surprise)")
    assert report["sample_list"] in card.data
    assert card.scores["scores"]["annotated"] == report["scores"]
    assert card.scores["scores"]["annotated"]["casme2"]["interval"]
    assert (card.scores["protocol"], card.scores["seeds"]) == ("loso", [0, 1])
    assert "saw all 3 subjects, so it has no score of its own" in card.scores["note"]
    assert "not validated live" in card.validation
    assert card.training["config"]["size"] == 28
    assert card.training["inputs"] == {"motion": {"array": "paper", "made": "prepare.json"}}
    assert any("no MMD" in line for line in card.deviations)
    assert not any("DIS" in line for line in card.deviations)
    assert str(data) not in card.to_json()
    for part in (
        str(bundle[0] / "card.json"),
        card.sha256,
        f"mer-live --video FILE --bundle {bundle[0]}",
        "[epoch",
    ):
        assert part in bundle[1]
    assert [p.name for p in bundle[0].parent.iterdir() if p.name != "report.json"] == ["madtn"]


def test_mer_live_runs_it(bundle: tuple[Path, str], tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "mer_live.realtime.cli.main",
        "--video",
        str(demo_clip()),
        "--duration",
        "1.9",
    ]
    command += ["--no-ui", "--bundle", str(bundle[0]), "--events", str(tmp_path / "e.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert any(event["state"] == "final" for event in events if event["type"] == "event")
    assert {event["engine"] for event in events if event["type"] == "event"} == {"mine"}


def test_stated_arrays_and_a_target_domain(data: Path, tmp_path: Path) -> None:
    mine = copy_of(data, tmp_path / "mine", "motion")
    more = ("--set", "hidden=8", "--set", "channels=onof-face", "--epochs", 1, "--target", mine)
    out = tmp_path / "bundle"
    result = run(mine, out, "madtn", *more, "--representation", "motion:size=28")
    assert result.exit_code == 0, result.output
    found = load_bundle(out)
    assert "How motion was made is stated by the maker, not checked." in found.card.data
    assert found.card.scores == {"note": "not scored: no report of mer-train evaluate was given"}
    assert found.card.training["target"]["clips without labels"] == {"casme2": 6}
    assert not any("MMD" in line for line in found.card.deviations)
    spec = found.card.inputs[0].representation
    shown = network_input(represent(clip_of(1), spec), spec)
    assert not shown[2].any()
    plan = plan_export(
        ExportRequest(
            mine, "madtn", out, "own", "x", settings={"hidden": 8, "channels": "onof-face", "epochs": 1},
            target=mine, representations=parse_representations("motion:size=28"),
        )
    )  # fmt: skip
    network = train(plan).network
    assert network is not None
    with open_runner(found, "onnxruntime") as runner, torch.inference_mode():
        live = runner.infer({"motion": shown[None]})["logits"]
        np.testing.assert_allclose(live, network(torch.from_numpy(shown[None])).numpy(), atol=2e-3)


def test_onnx_that_differs_on_real_rows_is_refused(
    data: Path, bundle: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = bundle[0] / "model.onnx"  # of another seed
    monkeypatch.setattr(
        "mer_live.training.export.bundle.write_onnx", lambda *given: shutil.copy(other, given[2])
    )
    result = run(data, tmp_path / "b", "madtn", *MADTN, "--epochs", 1, "--seed", 5)
    assert result.exit_code == 2
    assert "onnxruntime differs from torch by" in result.output
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_and_a_failed_training_leave_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting, words in (
        ("lr=1", "training mtm: MTM needs macro"),
        ("macro=nowhere", "nowhere is not a folder"),
    ):
        result = run(data, tmp_path / "b", "mtm", "--set", setting, "--set", "size=32")
        assert result.exit_code == 2
        assert words in result.output
        assert "[epoch" not in result.output

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mer_live.training.methods.network.train_network", interrupted)
    result = run(data, tmp_path / "b", "madtn")
    assert result.exit_code == 130
    assert "nothing was written" in result.output
    assert list(tmp_path.iterdir()) == []

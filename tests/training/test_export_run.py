"""``mer-train export``: what is trained is what runs live, and everything else is refused before training."""

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
import torch
from moving_clips import moving_clip
from typer.testing import CliRunner, Result

from mer_live.engines.bundle import load_bundle
from mer_live.engines.clip import Clip
from mer_live.engines.representation import network_input, represent, spec_to_json
from mer_live.engines.runners import open_runner
from mer_live.realtime.demo_clip import demo_clip
from mer_live.training import cli
from mer_live.training.evaluate import Request, evaluate
from mer_live.training.export_run import ExportRequest, plan_export, train
from mer_live.training.material import Job, gather, run_job
from mer_live.training.methods.network import NetworkMethod
from mer_live.training.prepare_config import parse_representations
from mer_live.training.prepared import PreparedSet
from mer_live.training.protocols import make_split

ARRAYS = (
    "motion:size=28,paper=motion:size=28:middle=centre:scaling=fixed:flow.method=farneback,apex,small=apex:size=64,"
    "adm:direction=as_published,flow3,px=flow3:dtype=float32:max_px=2,frames"
)
CLIPS = 6
HEADER = ["key", "dataset", "subject", "label", "fps", "onset", "apex", "offset", "split"]


def clip_of(row: int) -> Clip:
    return moving_clip(1.0 + row, -0.5 * row, apex=10 + row % 3, seed=row)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of moving textures, as ``mer-train prepare`` writes it."""
    folder = tmp_path_factory.mktemp("set")
    specs = parse_representations(ARRAYS)
    clips = [clip_of(row) for row in range(CLIPS)]
    for name, spec in specs:
        np.save(folder / f"{name}.npy", np.stack([represent(clip, spec) for clip in clips]))
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(HEADER)
        for row in range(CLIPS):
            split = "test" if row > 3 else "train"
            writer.writerow([f"c/{row}", "casme2", f"sub{row // 2:02d}", row % 3, 200, 3, 12, 21, split])
    note = {"representations": {name: spec_to_json(spec) for name, spec in specs}}
    (folder / "prepare.json").write_text(json.dumps(note))
    return folder


def request(data: Path, method: str, **more: Any) -> ExportRequest:
    return ExportRequest(data, method, data / "never", "own", "somebody", **more)


def run(data: Path, out: Path, method: str, *more: object) -> Result:
    arguments = [
        "export",
        "--data",
        data,
        "--method",
        method,
        "--licence",
        "own",
        "--attribution",
        "x",
        "--out",
        out,
    ]
    return CliRunner().invoke(cli.app, [str(part) for part in (*arguments, *more)])


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
    for live, trained in zip(plan.inputs.values(), plan.model.tensors(plan.rows), strict=True):
        shown = [network_input(represent(clip_of(row), live.spec), live.spec) for row in range(CLIPS)]
        np.testing.assert_array_equal(np.stack(shown), trained.numpy())


@pytest.mark.parametrize(
    ("method", "more", "words"),
    [
        ("svm", (), "--method is one of atnet, capsulenet, dual-inception, madtn"),
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


def copy(data: Path, to: Path, *arrays: str) -> Path:
    to.mkdir()
    for name in ("index.csv", *(f"{a}.npy" for a in arrays)):
        shutil.copy(data / name, to)
    return to


def test_an_array_must_be_what_was_said(data: Path, tmp_path: Path) -> None:
    mine = copy(data, tmp_path / "mine", "motion")
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
    monkeypatch.setattr(NetworkMethod, "tensors", lambda self, arrays: [x - 0.5 for x in plain(self, arrays)])
    with pytest.raises(ValueError, match="in a way that a card cannot say"):
        plan_export(request(data, "ststnet"))


def test_a_target_made_in_another_way_is_refused(data: Path, tmp_path: Path) -> None:
    other = copy(data, tmp_path / "other", "motion")
    note = json.loads((data / "prepare.json").read_text())
    note["representations"]["motion"]["flow"]["preset"] = "medium"
    (other / "prepare.json").write_text(json.dumps(note))
    with pytest.raises(ValueError, match="made in another way"):
        plan_export(request(data, "madtn", target=other))


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
def report(data: Path) -> dict[str, Any]:
    settings = {"epochs": 1, "hidden": 8}
    made = evaluate(Request(data, "loso", "madtn", {"motion": "paper"}, settings, (0, 1)))
    found: dict[str, Any] = json.loads(json.dumps(made))
    return found


MADTN = ("--input", "motion=paper", "--set", "hidden=8")


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
        "mer_live.realtime.cli",
        "--video",
        str(demo_clip()),
        "--duration",
        "1.9",
    ]
    command += ["--no-ui", "--bundle", str(bundle[0]), "--events", str(tmp_path / "e.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert any(event["final"] for event in events if event["type"] == "event")
    assert {event["engine"] for event in events if event["type"] == "event"} == {"mine"}


def test_stated_arrays_and_a_target_domain(data: Path, tmp_path: Path) -> None:
    mine = copy(data, tmp_path / "mine", "motion")
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
    monkeypatch.setattr("mer_live.training.export.write_onnx", lambda *given: shutil.copy(other, given[2]))
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

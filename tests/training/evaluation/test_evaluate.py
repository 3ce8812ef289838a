from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.folders import write_cde, write_set
from typer.testing import CliRunner

from mer_live.engines.executors import LocalExecutor, make_executor
from mer_live.training.cli import main as cli
from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
from mer_live.training.evaluation.fold_store import StoreError
from mer_live.training.evaluation.material import FoldError, FoldMaterial, Job, gather
from mer_live.training.evaluation.protocols import make_split
from mer_live.training.methods import make_method
from mer_live.training.methods.madtn import Madtn
from mer_live.training.prepared.prepared_set import PreparedSet

FLOW = {"flow": "uvs28"}


def request(data: Path, method: str = "svm", protocol: str = "loso", **more: Any) -> EvaluationRequest:
    return EvaluationRequest(data, protocol, method, FLOW, **more)


def test_a_folder_with_two_files_gives_68_folds_and_one_json(tmp_path: Path) -> None:
    data, out = write_cde(tmp_path / "D"), tmp_path / "out"
    arguments = f"evaluate --data {data} --protocol cde --method svm --input flow=uvs28 --seeds 4".split()
    arguments += ["--jobs", "1", "--out", str(out), "--json", str(tmp_path / "a" / "out.json")]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "a" / "out.json").read_text())
    assert set(report["scores"]) == {"full", "smic-hs", "casme2", "samm"}
    for scores in report["scores"].values():
        assert 0 <= scores["uf1"] <= 1
        assert set(scores["seeds"]) == {"4"}
        assert scores["interval"]["uar"][0] <= scores["uar"] <= scores["interval"]["uar"][1]
    assert report["folds"] == 68
    assert report["counts"]["smic-hs"]["clips"] == 164
    assert len(report["sample_list"]) == 64
    assert sum(map(sum, report["confusion"])) == 442
    assert report["config"]["kernel"] == "rbf"
    assert report["epoch_choice"] == "no epochs"
    assert report["seeds"] == [4]
    assert report["versions"]["numpy"]
    assert {f.name for f in out.glob("*.png")} == {"confusion-annotated.png", "subjects-annotated.png"}
    assert len(list((out / "folds").rglob("*.json"))) == 68
    assert report["sample_list"] in result.output


def test_another_list_stops_with_the_difference(tmp_path: Path) -> None:
    data = write_set(tmp_path / "D")
    base = [
        "evaluate",
        "--data",
        str(data),
        "--method",
        "svm",
        "--input",
        "flow=uvs28",
        "--out",
        str(tmp_path),
    ]
    result = CliRunner().invoke(cli.app, base)
    assert result.exit_code == 2
    assert "casme2: 4 subjects instead of 24" in result.output
    assert "Traceback" not in result.output
    result = CliRunner().invoke(cli.app, [*base, "--partial", "--jobs", "1"])
    assert result.exit_code == 0, result.output
    assert "NOT the published list" in result.output


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--method", "magic"], "unknown method"),
        (["--set", "nonsense=1"], "unknown setting 'nonsense'"),
        (["--input", "flow=absent"], "absent.npy is missing"),
        (["--input", "flow"], "not NAME=ARRAY"),
        (["--seeds", "0,0"], "seeds must be different"),
        (["--seeds", "a"], "invalid literal"),
        (["--executor", "slurm"], "choose local or ray"),
        (["--address", "1.2.3.4:1"], "--executor ray"),
    ],
)
def test_bad_requests_are_one_sentence(tmp_path: Path, more: list[str], words: str) -> None:
    data = write_set(tmp_path / "D")
    base = ["evaluate", "--data", str(data), "--protocol", "loso", "--out", str(tmp_path / "o")]
    given = {"--method": "svm", "--input": "flow=uvs28", more[0]: more[1]}
    result = CliRunner().invoke(cli.app, base + [part for pair in given.items() for part in pair])
    assert result.exit_code == 2
    assert words in result.output
    assert result.output.strip().count("\n") == 0


def test_nan_missing_class_and_one_subject(tmp_path: Path) -> None:
    data = write_set(tmp_path / "nan")
    images = np.load(data / "uvs28.npy").astype(np.float32)
    images[7, 3, 3, 1] = np.nan
    np.save(data / "uvs28.npy", images)
    with pytest.raises(ValueError, match=r"row 7 \(key casme2/1/1\)"):
        evaluate(request(data))
    two = write_set(tmp_path / "two")
    text = (two / "index.csv").read_text().splitlines()
    kept = [0] + [k for k, line in enumerate(text) if k and line.split(",")[3] != "2"]
    (two / "index.csv").write_text("\n".join(text[k] for k in kept) + "\n")
    np.save(two / "uvs28.npy", np.load(two / "uvs28.npy")[[k - 1 for k in kept[1:]]])
    for method, settings in (("svm", {}), ("ststnet", {"epochs": 1})):
        report = evaluate(request(two, method, settings=settings))
        assert np.isfinite(report["scores"]["full"]["uf1"])
        assert report["per_class"]["surprise"]["clips"] == 0
    with pytest.raises(ValueError, match="at least two subjects"):
        evaluate(request(write_set(tmp_path / "one", subjects=1)))


class Interrupted:
    """Stops after a number of jobs, as Ctrl-C would."""

    def __init__(self, after: int) -> None:
        self.after, self.ran = after, 0

    def run(self, function: Callable[..., Any], material: FoldMaterial, jobs: Sequence[Job]) -> Iterator[Any]:
        for job in jobs:
            if self.ran == self.after:
                raise KeyboardInterrupt
            self.ran += 1
            yield job, function(material, job)


def test_a_run_resumes_at_the_fold_with_the_same_scores(tmp_path: Path) -> None:
    data, out = write_set(tmp_path / "D", signal=20), tmp_path / "o"
    wanted = request(data, "madtn", settings={"size": 28, "epochs": 1, "hidden": 8}, seeds=(0, 1))
    wanted = EvaluationRequest(
        **{**{f: getattr(wanted, f) for f in wanted.__dataclass_fields__}, "inputs": {"motion": "uvs28"}}
    )
    with pytest.raises(KeyboardInterrupt):
        evaluate(wanted, out=out, executor=Interrupted(3))
    assert len(list((out / "folds").rglob("*.json"))) == 3
    (out / "folds" / "seed-0" / ".half.json.partial").write_text("{")  # what a power cut leaves
    counting = Interrupted(99)
    resumed = evaluate(wanted, out=out, resume=True, executor=counting)
    assert counting.ran == 5
    fresh = evaluate(wanted, out=tmp_path / "p")
    assert resumed["scores"] == fresh["scores"]
    assert resumed["confusion"] == fresh["confusion"]
    other = EvaluationRequest(
        **{**{f: getattr(wanted, f) for f in wanted.__dataclass_fields__}, "settings": {"epochs": 2}}
    )
    with pytest.raises(StoreError, match="other data or settings"):
        evaluate(other, out=out, resume=True)


def test_processes_give_what_one_process_gives(tmp_path: Path) -> None:
    data = write_set(tmp_path / "D", signal=10)
    wanted = request(data, "ststnet", settings={"epochs": 2, "batch": 8, "lr": 1e-3}, seeds=(0, 1))
    one = evaluate(wanted, executor=LocalExecutor(1))
    two = evaluate(wanted, executor=make_executor("local", jobs=2))
    assert one["scores"] == two["scores"]
    assert one["confusion_per_seed"] == two["confusion_per_seed"]
    assert one["stacked"]


def test_a_failing_fold_is_named(tmp_path: Path) -> None:
    data = write_set(tmp_path / "D")
    with pytest.raises(FoldError, match="fold casme2/001"):
        evaluate(request(data, "ststnet", settings={"epochs": 1, "lr": float("nan")}, stacked=False))


def test_cdmer_tasks_are_scored_apart_and_averaged(tmp_path: Path) -> None:
    data = write_set(tmp_path / "D", dataset="smic-hs")
    other = write_set(tmp_path / "E", dataset="smic-vis", seed=1)
    lines = (other / "index.csv").read_text().splitlines()[1:]
    with (data / "index.csv").open("a") as handle:
        handle.write("\n".join(lines) + "\n")
    np.save(data / "uvs28.npy", np.concatenate([np.load(p / "uvs28.npy") for p in (data, other)]))
    wanted = EvaluationRequest(
        data, "cdmer1", "madtn", {"motion": "uvs28"}, {"size": 28, "epochs": 2, "hidden": 8}, partial=True
    )
    report = evaluate(wanted)
    assert set(report["scores"]) == {"full", "H>V", "V>H"}
    mean = np.mean([report["scores"][t]["uf1"] for t in ("H>V", "V>H")])
    assert report["scores"]["full"]["uf1"] == pytest.approx(mean)
    assert report["target_domain"] == "test clips without labels"
    assert evaluate(request(data, "svm", "cdmer1", partial=True))["target_domain"] is None


def test_annotated_and_deployable_stand_side_by_side(tmp_path: Path) -> None:
    """Trained once on annotated frames; what our spotter found is worse here, and the report says so."""
    data = write_set(tmp_path / "D")
    (data / "deployable").mkdir()
    shutil.copy(data / "index.csv", data / "deployable" / "index.csv")
    rng = np.random.default_rng(0)
    np.save(data / "deployable" / "uvs28.npy", rng.integers(0, 190, (24, 28, 28, 3)).astype(np.uint8))
    report = evaluate(request(data))
    assert set(report["variants"]) == {"annotated", "deployable"}
    annotated, found = (report["variants"][v]["scores"]["full"]["uf1"] for v in ("annotated", "deployable"))
    assert annotated > 0.9 > found
    assert report["scores"]["full"]["uf1"] == annotated


def test_a_flow3_array_serves_without_being_mapped(tmp_path: Path) -> None:
    data = write_set(tmp_path / "D")
    (data / "uvs28.npy").rename(data / "flow3.npy")
    report = evaluate(EvaluationRequest(data, "holdout", "ststnet", settings={"epochs": 1}))
    assert report["inputs"] == {"flow": "flow3"}
    assert report["folds"] == 1


@pytest.mark.parametrize(
    ("stored", "settings", "side"), [(28, {}, 28), (130, {}, 112), (28, {"size": 56}, 56)]
)
def test_madtn_takes_the_side_of_the_array_unless_told(
    tmp_path: Path, stored: int, settings: dict[str, Any], side: int
) -> None:
    data = write_set(tmp_path / "D")
    rows = len(np.load(data / "uvs28.npy"))
    rng = np.random.default_rng(0)
    np.save(data / "motion.npy", rng.integers(0, 256, (rows, stored, stored, 3), dtype=np.uint8))
    (data / "copies").mkdir()
    np.save(data / "copies" / "motion.npy", rng.integers(0, 256, (2, stored, stored, 3), dtype=np.uint8))
    np.save(data / "copies" / "motion.rows.npy", np.array([0, rows - 1]))
    prepared = PreparedSet.open(data)
    split = make_split("holdout", prepared)
    material = gather(prepared, split, "madtn", settings)
    assert material.settings["size"] == side
    assert material.inputs["motion"].shape == (rows, side, side, 3)
    assert material.copies["motion"][0].shape == (2, side, side, 3)
    np.save(data / "copies" / "motion.rows.npy", np.array([1, rows - 1]))  # other copies: other folds
    assert gather(PreparedSet.open(data), split, "madtn", settings).fingerprint != material.fingerprint
    model = make_method("madtn", material.settings)
    assert isinstance(model, Madtn)
    network = model.build()
    assert network.features(torch.zeros(1, 3, side, side)).shape == (1, 256)
    # 7 x 7 maps at the end at most, so that the first full layer is no larger than the paper size's.
    assert sum(p.numel() for p in network.parameters()) <= 1_702_000

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.folders import write_set
from typer.testing import CliRunner

from mer_live.engines.executors import LocalExecutor
from mer_live.realtime.types import CLASSES
from mer_live.training.cli.main import app
from mer_live.training.prepared.prepared_set import PreparedSet
from mer_live.training.table import quick as table_quick
from mer_live.training.table.published import published
from mer_live.training.table.report import csv_text, markdown, verdicts, write_table
from mer_live.training.table.rows import (
    UNAVAILABLE,
    all_rows,
    choose_rows,
    parse_row_settings,
    row_settings,
    varied_rows,
)
from mer_live.training.table.run import TableRequest, run_table

TINY = {"ststnet": {"epochs": 1}, "madtn": {"epochs": 1, "size": 32, "hidden": 8}}


def three_databases(folder: Path) -> Path:
    """SMIC's cameras: the same four people, separable flow, a gray face for MADTN."""
    parts = [
        write_set(folder / n, dataset=n, seed=k) for k, n in enumerate(("smic-hs", "smic-vis", "smic-nir"))
    ]
    rows = [list(csv.reader((p / "index.csv").open())) for p in parts]
    with (folder / "index.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([rows[0][0], *[line for r in rows for line in r[1:]]])
    flow = np.concatenate([np.load(p / "uvs28.npy") for p in parts])
    np.save(folder / "flow3.npy", flow)
    np.save(folder / "motion.npy", flow)
    return folder


def request(data: Path, *rows: str, **more: Any) -> TableRequest:
    defaults: dict[str, Any] = {"protocols": ("holdout",), "seeds": (0, 1), "settings": TINY}
    return TableRequest((data,), choose_rows(rows), **{**defaults, **more})


def test_every_method_has_a_row_and_every_published_line_one() -> None:
    rows = {row.name: row for row in all_rows()}
    assert len(rows) == len(all_rows())
    for row in rows.values():
        row_settings(row, {})  # its settings exist
        assert not row.ablation_of or row.ablation_of in rows
    for lines in (
        *(published(protocol) for protocol in ("cde", "hde", "cdmer1", "cdmer2")),
        published("loso", ["casme2"], 5),
        published("loso", ["smic-hs"]),
    ):
        assert lines
        assert all(line.row in rows or line.row in UNAVAILABLE for line in lines)
        assert all(0 < v < 1 for line in lines for cell in line.cells.values() for v in cell.values())
    assert not published("holdout")
    assert not published("loso", ["casme2"])
    assert not published("loso", ["casme2", "samm"], 5)
    five = {(line.row, line.source): line.cells["full"] for line in published("loso", ["casme2"], 5)}
    assert five["mtm", "MTM (Xia, Wang 2021), Table 4"] == {"accuracy": 0.799, "uf1": 0.759}
    assert five["higo/linear", "MTM (Xia, Wang 2021), Table 4"] == {"accuracy": 0.672}
    best = {line.row: line.cells for line in published("cdmer1") if "full" in line.cells}
    assert best["madtn"]["full"] == {"uf1": 0.7678, "accuracy": 0.7684}
    tasks = [v["uf1"] for k, v in best["gfk"].items() if k != "full"]
    assert np.mean(tasks) == pytest.approx(best["gfk"]["full"]["uf1"], abs=2e-4)
    assert {row.ablation_of for row in rows.values()} == {"", "atnet", "madtn", "sa-at", "mtm"}


def test_rows_by_name_and_their_settings() -> None:
    assert [row.name for row in choose_rows(["hoof"])] == ["hoof/linear", "hoof/poly", "hoof/rbf"]
    assert [row.name for row in choose_rows(["atnet", "atnet/spatial"])] == [
        "atnet/spatial",
        "atnet/temporal",
        "atnet",
    ]
    with pytest.raises(ValueError, match="region selective"):
        choose_rows(["rstr"])
    with pytest.raises(ValueError, match="no row is called 'magic'; there are lbp-top"):
        choose_rows(["magic"])
    given = parse_row_settings(["mtm.macro=a=b", "mtm/L_c.epochs=3"])
    row = choose_rows(["mtm/L_c"])[0]
    assert row_settings(row, given)["macro"] == "a=b"
    assert row_settings(row, given)["epochs"] == "3"
    assert row_settings(row, {"mtm": {"spatial": "9"}})["spatial"] == "0"  # what makes the row comes last
    with pytest.raises(ValueError, match="unknown setting 'colour'"):
        row_settings(row, {"mtm": {"colour": "1"}})
    for bad, why in (("mtm=1", "not METHOD"), ("magic.a=1", "called 'magic'")):
        with pytest.raises(ValueError, match=why):
            parse_row_settings([bad])


def test_a_table_is_run_resumed_and_written(tmp_path: Path) -> None:
    data = three_databases(tmp_path / "d")
    wanted = [
        request(data, "ststnet", "hoof/linear", "lbp-top/linear"),
        request(
            data, "hoof/linear", "madtn/no-mmd", "madtn", protocols=("cdmer1",), partial=True, seeds=(0,)
        ),
    ]
    names: list[str] = []
    result = run_table(wanted, tmp_path / "out", progress=lambda done, total, name, s: names.append(name))
    assert names.count("holdout ststnet") == 2
    assert names.count("holdout hoof/linear") == 1  # without randomness one seed says all
    assert names.count("cdmer1 madtn") == 6
    holdout, cdmer = result["tables"]
    by_name = {row["row"]: row for row in holdout["rows"]}
    assert by_name["hoof/linear"]["scores"]["full"]["uf1"] > 0.9
    assert "frames.npy is missing" in by_name["lbp-top/linear"]["reason"]
    assert "madtn/no-mmd" not in by_name
    assert cdmer["count_differences"]
    again = run_table(wanted, tmp_path / "out", progress=lambda *a: pytest.fail("ran again"))
    assert again["tables"] == result["tables"]
    files = write_table(result, tmp_path / "out")
    assert {f.name for f in files} == {"table.md", "table.csv", "table-1-holdout.png", "table-2-cdmer1.png"}
    text = (tmp_path / "out" / "table.md").read_text()
    (test,) = holdout["paired"]
    assert (test["row"], test["against"]) == ("ststnet", "hoof/linear")
    assert test["better"] <= test["worse"]
    assert test["low"] <= test["difference"] <= test["high"]
    scored = {row["row"] for row in cdmer["rows"] if "scores" in row}
    assert {test["row"] for test in cdmer["paired"]} == scored - {cdmer["paired"][0]["against"]}
    assert "Against **hoof/linear** on the same clips" in text
    assert "*published: MADTN (Xia et al. 2020), Table 1*" in text
    assert "| *0.830 / 0.831* |" in text
    assert "cannot be compared with ours" in text
    assert "- `rstr`: RSTR" in text
    assert "- `lbp-top/linear (holdout)`: " in text
    assert "**madtn**" in text
    lines = list(csv.DictReader(csv_text(result).splitlines()))
    mine = [r for r in lines if r["row"] == "madtn" and r["whose"] == "ours" and r["part"] == "full"]
    assert float(mine[0]["uf1"]) == pytest.approx(
        {r["row"]: r for r in cdmer["rows"]}["madtn"]["scores"]["full"]["uf1"], abs=1e-4
    )
    assert all(r["whose"].startswith(("ours", "published: ")) for r in lines)
    json.dumps(result)


def test_a_row_by_its_papers_recipe_says_what_is_not_as_published(tmp_path: Path) -> None:
    data = three_databases(tmp_path / "d")
    rows = choose_rows(["madtn@paper"])
    assert [row.name for row in rows] == ["madtn@paper"]
    assert row_settings(rows[0], {"madtn": {"epochs": 1, "lr": 1.0}})["lr"] == 2e-4  # the recipe counts
    result = {
        "tables": [
            {
                "protocol": "cdmer1", "data": str(data), "synthetic": False, "folds": 6, "counts": {},
                "count_differences": [], "sample_list": "0" * 12, "paired": [],
                "classes": list(CLASSES),
                "rows": [{"row": "madtn@paper", "method": "madtn", "ablation_of": "", "reason": "not asked",
                          "inputs_differ": ["motion by dis, not farneback"], "deviations": ["no MTCNN"]}],
            }
        ],
        "missing": [], "unavailable": {},
    }  # fmt: skip
    text = "\n".join(markdown(result))
    assert "*published: MADTN (Xia et al. 2020), Table 1*, **our inputs differ**" in text
    assert "- `madtn@paper`: **inputs differ** (motion by dis, not farneback); no MTCNN." in text


def test_a_row_is_trained_on_rendered_clips_alone(tmp_path: Path) -> None:
    data = three_databases(tmp_path / "d")
    synth = write_set(tmp_path / "synth", dataset="synth", seed=9)
    np.save(synth / "flow3.npy", np.load(synth / "uvs28.npy"))
    (synth / "prepare.json").write_text(json.dumps({"synthetic": {"kind": "micro"}, "representations": {}}))
    names = ("hoof/linear", "hoof/linear@zero-shot")
    result = run_table([request(data, *names, seeds=(0,), synthetic=synth)], tmp_path / "out")
    rows = {row["row"]: row for row in result["tables"][0]["rows"]}
    assert list(rows) == list(names)
    assert rows[names[1]]["scores"]["full"]["uf1"] > 0.9
    assert rows[names[1]]["fingerprint"] != rows[names[0]]["fingerprint"]
    without = run_table([request(data, names[1], seeds=(0,))], tmp_path / "without")
    assert "--synthetic FOLDER" in without["tables"][0]["rows"][0]["reason"]


def test_processes_give_the_same_scores_and_other_settings_run_again(tmp_path: Path) -> None:
    data = three_databases(tmp_path / "d")
    one = run_table([request(data, "hoof", "bi-woof")], tmp_path / "a")
    two = run_table([request(data, "hoof", "bi-woof")], tmp_path / "b", LocalExecutor(2))
    for a, b in zip(one["tables"][0]["rows"], two["tables"][0]["rows"], strict=True):
        assert a["scores"] == b["scores"]
    names: list[str] = []
    other = request(data, "hoof", "bi-woof", settings={"hoof/rbf": {"c": 2.0}})
    run_table([other], tmp_path / "a", progress=lambda done, total, name, s: names.append(name))
    assert names == ["holdout hoof/rbf"]


def test_a_row_that_fails_keeps_its_place_with_the_reason(tmp_path: Path) -> None:
    data = three_databases(tmp_path / "d")
    np.save(data / "apex.npy", np.zeros((72, 32, 32), np.uint8))
    result = run_table(
        [request(data, "sa-at", "ststnet", settings={**TINY, "sa-at": {"size": 32}})], tmp_path / "out"
    )
    rows = {row["row"]: row for row in result["tables"][0]["rows"]}
    assert "needs a teacher" in rows["sa-at"]["reason"]
    assert "scores" in rows["ststnet"]
    with pytest.raises(ValueError, match=r"cde: .*not the published list"):
        run_table([request(data, "ststnet", protocols=("cde",))], tmp_path / "out")
    with pytest.raises(ValueError, match="seeds"):
        run_table([request(data, "ststnet", seeds=(1, 1))], tmp_path / "out")


def row(name: str, uf1: float, of: str = "") -> dict[str, Any]:
    scores = {"uf1": uf1, "uar": 0.5, "accuracy": 0.5, "std": {"uf1": 0.01}, "interval": {"uf1": [0, 1]}}
    return {"row": name, "ablation_of": of, "seeds": [0, 1, 2], "scores": {"full": scores}}


def test_the_verdict_says_which_full_method_is_not_above_its_ablations() -> None:
    rows = [row("a", 0.5), row("a/x", 0.5, "a"), row("a/y", 0.4, "a"), row("b", 0.6), row("b/x", 0.61, "b")]
    lines = "\n".join(verdicts({"rows": [*rows, row("b/y", 0.2, "b"), row("c", 0.1)]}))
    assert "**a** (0.500, 3 seeds) is at or above all 2 of its ablations" in lines
    assert "**b** (0.600, 3 seeds) is **below** b/x (0.610), at or above its other 1" in lines
    assert "**c**" not in lines
    assert verdicts({"rows": [row("c", 0.1)]}) == []


def test_command(tmp_path: Path) -> None:
    data = three_databases(tmp_path / "d")
    arguments = [
        "table",
        "--data",
        str(data),
        "--methods",
        "hoof/rbf",
        "--protocols",
        "holdout",
        "--jobs",
        "1",
    ]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "| hoof/rbf | ours |" in result.output
    assert (tmp_path / "out" / "table.json").is_file()
    assert not any(row.name.endswith("@paper") for row in choose_rows(["all"]))
    for more, why in (
        (["table"], "--data FOLDER, or take --quick"),
        (["table", "--quick", "--data", str(data)], "leave --data"),
        (["table", "--quick", "--protocols", "cde"], "holdout and cdmer1, not cde"),
        ([*arguments, "--set", "hoof"], "METHOD.KEY=VALUE"),
        (["table", "--quick", "--faces", str(tmp_path / "none")], "is not a folder"),
    ):
        failed = CliRunner().invoke(app, [*more, "--out", str(tmp_path / "out")])
        assert failed.exit_code == 2
        assert why in failed.output


def test_a_sweep_has_a_row_for_each_value(tmp_path: Path) -> None:
    grid = varied_rows(["madtn.mmd_weight=0,2", "madtn.lr=1e-4", "svm.kernel=linear"])
    assert [row.name for row in grid] == [
        "madtn/mmd_weight=0,lr=1e-4",
        "madtn/mmd_weight=2,lr=1e-4",
        "svm/kernel=linear",
    ]
    data = write_set(tmp_path / "D")  # index.csv and uvs28.npy alone
    arguments = f"table --data {data} --input motion=uvs28 --vary madtn.hidden=4,8 --protocols holdout"
    arguments += f" --seeds 0 --jobs 1 --set madtn.epochs=1 --out {tmp_path / 'out'}"
    result = CliRunner().invoke(app, arguments.split())
    assert result.exit_code == 0, result.output
    (table,) = json.loads((tmp_path / "out" / "table.json").read_text())["tables"]
    assert [(r["row"], r["config"]["hidden"]) for r in table["rows"]] == [
        ("madtn/hidden=4", 4),
        ("madtn/hidden=8", 8),
    ]
    assert all(0 <= r["scores"]["full"]["uf1"] <= 1 for r in table["rows"])


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("madtn=1", "is not METHOD.KEY=VALUE,VALUE, such as"),
        ("magic.lr=1", "no method is called 'magic'"),
        ("madtn.lr=,", "names no value"),
        ("madtn.colour=red", "unknown setting 'colour'"),
        ("madtn.epochs=many", "setting epochs=many"),
    ],
)
def test_a_bad_sweep_is_one_sentence(tmp_path: Path, item: str, words: str) -> None:
    result = CliRunner().invoke(app, ["table", "--data", str(tmp_path), "--vary", item])
    assert result.exit_code == 2
    assert words in result.output


def test_quick_settings_are_settings_of_the_methods() -> None:
    for name, settings in table_quick.SETTINGS.items():
        for chosen in choose_rows([name]):
            row_settings(chosen, {name: settings})


def test_quick_names_rendered_clips_by_their_action_units(tmp_path: Path) -> None:
    data = write_set(tmp_path / "micro", subjects=2, clips=3, dataset="synth")
    lines = (data / "index.csv").read_text().splitlines()
    units = ("4+7", "L12", "1+2+5", "4+9", "6+12", "14")
    more = [f"{line},{end}" for line, end in zip(lines, ("action_units", *units), strict=True)]
    (data / "index.csv").write_text("\n".join(more) + "\n")
    (data / "prepare.json").write_text('{"synthetic": {"kind": "micro"}}')
    for name in ("flow3", "motion"):
        np.save(data / f"{name}.npy", np.load(data / "uvs28.npy"))
    five = PreparedSet.open(table_quick.five_classes(data, tmp_path / "five"))
    assert five.classes == ("anger", "disgust", "happiness", "other", "surprise")
    names = [five.classes[label] for label in five.labels]
    assert names == ["anger", "happiness", "surprise", "disgust", "happiness", "other"]
    assert five.subjects.tolist() == PreparedSet.open(data).subjects.tolist()
    result = run_table([request(tmp_path / "five", "hoof/linear", "madtn")], tmp_path / "out")
    text = "\n".join(markdown(result))
    assert "### Subject-disjoint holdout, 5 classes (anger, disgust, happiness, other, surprise)" in text


@pytest.mark.slow
def test_quick_renders_and_runs(tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_quick, "CLIPS", (9, 9))
    monkeypatch.setattr(table_quick, "PLAN", table_quick.CameraPlan(people=2, clips=3, size=32, frames=8))
    requests = table_quick.quick_requests(
        faces, tmp_path / "data", ("bi-woof/linear", "lbp-top/linear", "tca", "hoof/linear@zero-shot"),
        ("holdout", "cdmer1"), (0,), 1,
    )  # fmt: skip
    result = run_table(requests, tmp_path)
    assert [t["protocol"] for t in result["tables"]] == ["holdout", "cdmer1"]
    assert all(t["synthetic"] for t in result["tables"])
    assert [r["row"] for r in result["tables"][0]["rows"]] == [
        "bi-woof/linear", "lbp-top/linear", "hoof/linear@zero-shot",
    ]  # fmt: skip
    assert [r["row"] for r in result["tables"][1]["rows"]] == ["lbp-top/linear", "tca"]
    assert "rendered people" in "\n".join(markdown(result))
    # Only what a row looks at is rendered.
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == [
        "cameras",
        "micro-flow3-frames",
        "others-flow3",
    ]


def test_quick_shows_a_row_of_each_kind() -> None:
    names = [row.name for row in choose_rows(table_quick.ROWS)]
    assert {"ststnet@paper", "ststnet@zero-shot"} < set(names)
    assert set(table_quick._FIVE) & set(names)

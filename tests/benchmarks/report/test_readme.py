from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mer_live.benchmarks.cli import app
from mer_live.benchmarks.report.readme import BEGIN, END, STEPS, between, committed, table
from mer_live.benchmarks.result import Figure, Result, Times

ROOT = Path(__file__).resolve().parents[3]


def results() -> list[Result]:
    latency = Result("latency", times=[Times("frame", 9, 1.5, 2.0, 2.5, 3.0, "whole path")])
    latency.figures = [
        Figure("overhead_ratio", 1.3, target=1.15),
        Figure("rate", 410.0, "fps", 99, target=400.0, better="higher", note="a|b"),
    ]
    names = [f"30 fps {phase}: {step}" for phase in ("provisional", "final") for step in STEPS]
    delay = Result("delay", {"rates": [30]}, [Figure(name, 12.4, "ms", 4) for name in names[:5]])
    delay.figures.append(Figure(names[5], None, "ms", 0))
    peers = Result(
        "peers", details={"tables": [{"title": "t", "columns": ["", "fps"], "rows": [["x", "9"]]}]}
    )
    return [latency, delay, peers]


def test_every_result_has_its_lines() -> None:
    text = table(results())
    for line in (
        "| overhead_ratio | 1.3 | ≤ 1.15, **short** |  |",
        "| rate (a\\|b) | 410 fps | ≥ 400, met | 99 |",
        "| one frame in the worker, median and p99 | 1.50 and 2.50 ms |  | 9 |",
        "| 30 fps | 12 | 12 | 12 | 12 | 12 | not found | 0 |",
        "| x | 9 |",
    ):
        assert line in text
    machine = results()[0].machine
    assert f": {machine['processor']}, {machine['cores']} cores" in text
    assert text.count("of 5 bursts)") == 3


def test_only_what_lies_between_the_markers_changes() -> None:
    text = f"a\n{BEGIN}\nold\n{END}\nb\n"
    assert between(text, "new") == f"a\n{BEGIN}\nnew\n{END}\nb\n"
    assert between(between(text, "new"), "new") == between(text, "new")
    for bad in ("no markers", f"{END}\n{BEGIN}", f"{text}{text}"):
        with pytest.raises(ValueError, match="needs one line"):
            between(bad, "new")


def test_the_command_rewrites_a_file_from_results(tmp_path: Path) -> None:
    readme, runner = tmp_path / "README.md", CliRunner()
    readme.write_text(f"# x\n{BEGIN}\n{END}\n", encoding="utf-8")
    paths = []
    for result in results():
        result.write(tmp_path / f"{result.benchmark}.json")
        paths.append(str(tmp_path / f"{result.benchmark}.json"))
    command = ["readme", *paths, "--file", str(readme)]
    assert "rewritten" in runner.invoke(app, command).output
    assert "overhead_ratio" in readme.read_text(encoding="utf-8")
    assert "up to date" in runner.invoke(app, command).output
    readme.write_text("nothing", encoding="utf-8")
    assert runner.invoke(app, command).exit_code == 2


def test_the_readme_agrees_with_the_committed_results() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    if BEGIN not in text or not committed():
        pytest.skip("no result is committed yet, or the README has no markers for it")
    assert between(text, table([Result.read(path) for path in committed()])) == text, (
        "run `mer-bench readme`: the performance table is not that of benchmarks/results"
    )

"""The benchmark's own code, on the CPU: a machine with a card runs the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.random_bundles import random_bundle
from typer.testing import CliRunner

from mer_live.benchmarks.cli import app
from mer_live.benchmarks.gpu import run as gpu
from mer_live.benchmarks.gpu.inputs import describe
from mer_live.benchmarks.gpu.timing import Stopwatch
from mer_live.benchmarks.result import Result

pytestmark = pytest.mark.timeout(1800)  # every part once, whole pipelines among them
no_card = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, str]:
    torch.set_num_threads(1)
    page = tmp_path_factory.mktemp("gpu") / "page.md"
    bundles = [str(random_bundle(name).path) for name in ("madtn", "atnet")]
    result = gpu.run(quick=True, device="cpu", bundles=bundles, page=page, repeats=1)
    return result, page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_cpu_agrees_with_itself(measured: tuple[Result, str]) -> None:
    """Everything that does not hang on how fast this machine is."""
    result, _ = measured
    parity = [f for f in result.figures if f.target is not None and "device over CPU" not in f.name]
    assert len(parity) >= 10
    assert [f.name for f in parity if not f.met] == []
    lists = [f for f in result.figures if f.name.startswith("events of")]
    assert [f.n for f in lists] == [1]
    assert "Farneback" in lists[0].name


def test_every_stage_is_timed_once(measured: tuple[Result, str]) -> None:
    result, _ = measured
    names = [(t.group, t.name) for t in result.times]
    assert len(set(names)) == len(names)
    assert {group for group, _ in names} == {
        "networks",
        "a frame: flow at the points and ADM row",
        "what a frame is made of",
        "a spot",
    }
    cameras = [f for f in result.figures if "cameras at" in f.name]
    assert [f.name.partition(":")[0] for f in cameras] == ["cpu", "cpu", "cpu-torch", "cpu-torch"]
    assert all(f.n for f in cameras)


def test_what_was_not_measured_is_said(measured: tuple[Result, str]) -> None:
    result, page = measured
    missing = [f for f in result.figures if f.value is None]
    assert len(missing) >= 4  # two bundles in two precisions of every TensorRT
    assert all("tensorrt" in f.name or "rtx" in f.name for f in missing)
    assert f"not measured: {missing[0].name}: " in page


def test_page_and_json_hold_the_result(measured: tuple[Result, str], tmp_path: Path) -> None:
    result, page = measured
    for times in result.times:
        assert times.name in page
    assert "torch_threads" in page
    result.write(tmp_path / "gpu.json")
    assert Result.read(tmp_path / "gpu.json").figures == result.figures


def test_stopwatch_counts() -> None:
    calls: list[int] = []
    watch = Stopwatch(torch.device("cpu"), 4)
    (times,) = watch.measure("x", lambda: calls.append(1), "g")
    assert (times.n, times.name, times.group) == (4, "x (wall)", "g")
    assert len(calls) > 4  # warm-up
    assert watch.rate(lambda: None) > 0
    assert "gpu" not in describe(torch.device("cpu"))


@no_card
def test_without_a_card_the_command_says_what_to_do() -> None:
    done = CliRunner().invoke(app, ["gpu"])
    assert done.exit_code == 4
    assert "--device cpu" in done.output


def test_unknown_bundle_is_told_in_one_line() -> None:
    done = CliRunner().invoke(app, ["gpu", "--device", "cpu", "--bundle", "nowhere"])
    assert done.exit_code == 4
    assert "neither a shipped name" in done.output

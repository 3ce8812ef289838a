"""Every command that README and site print: run where a scratch folder is enough, given to its parser where not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.folders import write_cde
from support.printed_commands import (
    PAGES,
    PROGRAMS,
    ROOT,
    Printed,
    UsageError,
    parsed,
    printed,
    python_blocks,
)
from support.video_clips import write_demo

from mer_live.training.methods import make_method
from mer_live.training.prepare.config import parse_representations
from mer_live.training.table.rows import choose_rows, parse_row_settings, row_settings, varied_rows

PRINTED = printed()
OURS = [p for p in PRINTED if p.words[0] in PROGRAMS]
TYPED = list(dict.fromkeys(p.line for p in OURS if p.whole))
"""Command lines of ours that a page shows to be typed."""

RUN = (  # in one scratch folder, in this order; the first makes what the others read
    "mer-live --video session.mp4 --events session.jsonl --events session.csv --report session.json",
    "mer-live --camera 0 --record monday",
    "mer-live --video monday",
    "mer-live export monday --to elan",
    "mer-live review monday",
    "mer-live batch interviews --out interviews-out",
    "mer-live --list-cameras",
    "mer-train synth --faces DIR --out DIR --count 300",
    "mer-train synth-fields --faces DIR --out fields.png",
)
STANDS_FOR = {
    "--camera 0": "--video session.mp4",  # there is no camera
    "--count 300": "--count 1",
    "fields.png": "fields.png --draws 2",
}
NOT_RUN = {  # what is only parsed here -> why; the tests named run the same command on small inputs
    r"mer-live .*--camera 0": "needs a camera (tests/realtime/sources; the lines in RUN stand for it)",
    r"mer-live .*rtsp:": "needs a network camera (tests/realtime/sources)",
    r"mer-live .*--pace realtime": "takes as long as its clip (tests/realtime/sources)",
    r"mer-live .*--bundle bundles/": "needs a bundle trained on a licensed database (tests/training/export)",
    r"mer-web$": "serves until it is ended (tests/realtime/web)",
    r"mer-engine|mer-bench gpu": "needs TensorRT or a GPU (tests/engines/trt, tests/benchmarks/gpu)",
    r"mer-train (prepare|spot-evaluate|export)": "needs a licensed database (tests/training)",
    r"mer-train (evaluate|pretrain|table|synth-set)": "takes minutes to days (tests/training)",
    r"mer-train figures": "needs a prepared set and a network (tests/training/figures)",
    r"mer-train (synth .*--video|demo-clip)": "renders for minutes (tests/training/synthesis)",
}


@pytest.mark.parametrize("command", OURS, ids=lambda p: f"{p.page}: {p.line}")
def test_its_parser_takes_every_printed_command(command: Printed) -> None:
    parsed(command.words, whole=command.whole)


def test_an_option_that_is_not_there_is_found() -> None:
    for whole in (True, False):
        with pytest.raises(UsageError, match="--colour"):
            parsed(["mer-live", "--camera", "0", "--colour"], whole=whole)
    with pytest.raises(UsageError, match="fly"):
        parsed(["mer-train", "fly"], whole=False)
    with pytest.raises(UsageError, match="method"):
        parsed(["mer-train", "evaluate", "--data", "D"], whole=True)


def test_each_is_run_or_says_why_not() -> None:
    assert set(RUN) <= set(TYPED), "RUN holds only what is printed"
    for line in TYPED:
        assert line in RUN or any(re.match(pattern, line) for pattern in NOT_RUN), line
    for pattern in NOT_RUN:
        assert any(re.match(pattern, line) for line in TYPED), f"{pattern} is printed no more"


@pytest.mark.slow  # torch is loaded
def test_methods_settings_and_representations_are_known() -> None:
    looked = 0
    for command in OURS:
        if command.words[0] != "mer-train":
            continue
        values = parsed(command.words, whole=command.whole)
        told = list(values.get("settings") or ())
        if command.words[1] in ("evaluate", "export", "zero-shot") and values.get("method"):
            make_method(values["method"], dict(item.split("=", 1) for item in told))
            looked += 1
        if command.words[1] == "table":
            given = parse_row_settings(told)
            names = [n for n in (values.get("methods") or "all").split(",") if n]
            for row in choose_rows(names) + varied_rows(list(values.get("vary") or ())):
                row_settings(row, given)
            looked += 1
        if values.get("representations"):
            parse_representations(values["representations"])
            looked += 1
    assert looked > 15


def test_targets_of_make_and_extras_of_pip_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = [p.words[1] for p in PRINTED if p.words[0] == "make"]
    assert {"demo", "test", "docs"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    printed_extras = [
        name
        for page in PAGES
        for found in re.findall(r"(?:mer-live|\.)\[([\w,]+)\]", page.read_text("utf-8"))
        for name in found.split(",")
    ]
    assert printed_extras
    assert set(printed_extras) <= set(extras)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    """A folder as the pages assume it: a recording, an archive of two, photographs."""
    folder = tmp_path_factory.mktemp("scratch")
    write_demo(folder / "session.mp4", seconds=2.6, fps=50)
    (folder / "interviews").mkdir()
    shutil.copy(folder / "session.mp4", folder / "interviews" / "a.mp4")
    (folder / "DIR").symlink_to(faces)
    return folder


def start(line: str, folder: Path, **options: Any) -> subprocess.Popen[str]:
    words = line.split()
    command = [sys.executable, "-m", f"mer_live.{PROGRAMS[words[0]]}", *words[1:]]
    return subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


@pytest.mark.slow
def test_what_a_scratch_folder_is_enough_for_runs(scratch: Path) -> None:
    for line in RUN:
        for printed_words, ours in STANDS_FOR.items():
            line = line.replace(printed_words, ours)
        with start(line.replace("--out DIR", "--out made"), scratch) as process:
            if " review " in line:  # it serves until it is ended
                assert process.stderr is not None
                assert process.stderr.readline().startswith("Open http://127.0.0.1:")
                process.terminate()
                process.communicate()
                continue
            _, said = process.communicate()
        assert process.returncode == 0, f"{line}: {said}"
    for made in ("session.jsonl", "session.csv", "session.json", "monday/session.json", "monday/events.eaf"):
        assert (scratch / made).stat().st_size > 0, made
    assert "surprise" in (scratch / "session.csv").read_text("utf-8")
    assert (scratch / "interviews-out" / "index.html").exists()
    assert (scratch / "fields.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_lines_of_python_run(page: str, scratch: Path) -> None:
    (code,) = python_blocks(page)
    code = code.replace("watch(0, fps=120)", 'watch("session.mp4")')
    done = subprocess.run([sys.executable, "-c", code], cwd=scratch, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "surprise" in done.stdout


def test_the_lines_about_prepared_sets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "prepared" / "cde"
    for place in (folder, folder / "deployable"):
        write_cde(place)
    (folder / "copies").mkdir()
    np.save(folder / "motion.npy", np.zeros((442, 4, 4, 3), np.uint8))
    np.save(folder / "copies" / "motion.npy", np.zeros((1, 4, 4, 3), np.uint8))
    np.save(folder / "copies" / "motion.rows.npy", np.zeros(1, np.int64))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in python_blocks("training/README.md"):
        exec(code, names)
    assert len(names["train"].labels) < len(names["prepared"].labels) == 442

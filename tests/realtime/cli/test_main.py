"""mer-live as a user meets it: a process, its exit code, what it prints and what it leaves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from support.events import FINAL, SETTLED

from mer_live.realtime.demo.clip import demo_clip, demo_table, demo_truth

COMMAND = [sys.executable, "-m", "mer_live.realtime.cli.main"]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_events_report_and_csv_of_a_file(tmp_path: Path) -> None:
    jsonl, table, report = tmp_path / "e.jsonl", tmp_path / "e.csv", tmp_path / "r.json"
    done = run(
        *("--video", demo_clip(), "--no-ui", "--duration", 3.5, "--events", jsonl, "--events", table),
        *("--report", report),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "one face at 200 fps" in done.stderr
    start, *events = (json.loads(line) for line in jsonl.read_text().splitlines())
    content = json.loads(report.read_text())
    assert [content["frames"][name] for name in ("captured", "processed", "dropped")] == [700, 700, 0]
    assert content["input"]["usable"] == 1
    assert {event["face"]["id"] for event in events if event["type"] == "event"} == {1}
    assert any(event["state"] == "final" for event in events if event["type"] == "event")
    assert len(table.read_text().splitlines()) == len(events) + 1
    told = {"utc": None, "unix_ns": None, "uncertainty_ns": 0, "clock": "media"}
    assert start == {"type": "start", "format": 2, **told}
    assert content["start"] == told
    assert json.loads((tmp_path / "e.csv-metadata.json").read_text())["notes"] == [{"start": told}]
    assert set(content["stages_ms"]["frame"]) == {"p50", "p95", "p99", "p99.9", "n"}
    assert content["compute_ms"]["final"]["n"] >= 1
    page = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
    assert [name for name in content if f"`{name}`" not in page] == []


def test_the_table_of_the_demo_fits_60_columns() -> None:
    console = Console(width=60, file=StringIO(), no_color=True)
    table, right = demo_table(demo_truth(), [SETTLED, replace(FINAL, id=9)])
    console.print(table)
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert right == 0
    assert "false alarm" in told
    assert "…" not in told


def test_events_on_stdout_are_pure_jsonl() -> None:
    done = run("--video", demo_clip(), "--bundle", "madtn", "--duration", 3.5, "--events", "-")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "Give one of"),
        (["--demo", "--camera", "0"], 2, "Give one of"),
        (["--demo", "--events", "e.txt"], 2, ".jsonl or .csv"),
        (["--video", " "], 2, "take a name"),
        (["--demo", "--fps", "1e9"], 2, "at most 100,000"),
        (["--video", "nowhere.mp4"], 3, "nowhere.mp4"),
        (["--video", __file__], 3, "test_main.py"),
        (["--camera", "97"], 3, "--list-cameras"),
        (["--demo", "--bundle", "no-such-bundle"], 4, "no-such-bundle"),
        (["--demo", "--backend", "tensorrt"], 4, "pip install"),
    ],
)
def test_errors_are_one_sentence_with_the_right_exit_code(arguments: list[str], code: int, says: str) -> None:
    done = run(*arguments, "--no-ui")
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_run_that_cannot_start_leaves_earlier_events_alone(tmp_path: Path) -> None:
    kept = tmp_path / "e.jsonl"
    kept.write_text('{"type": "event", "id": 1}\n')
    assert run("--video", "nowhere.mp4", "--events", kept).returncode == 3
    assert kept.read_text() == '{"type": "event", "id": 1}\n'


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_ends_with_0_and_complete_files(tmp_path: Path) -> None:
    events, report = tmp_path / "e.jsonl", tmp_path / "r.json"
    command = [*COMMAND, "--video", demo_clip(), "--bundle", "madtn", "--pace", "realtime", "--no-ui"]
    command += ["--events", events, "--report", report]
    with subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True) as process:
        while not events.exists() and process.poll() is None:  # it exists once the run has begun
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert json.loads(report.read_text())["error"] is None
    assert all(json.loads(line) for line in events.read_text().splitlines())


def test_list_cameras_without_a_camera_says_what_to_do() -> None:
    done = run("--list-cameras")
    assert done.returncode == 0
    assert "fps" in done.stdout or "--demo" in done.stdout


@pytest.mark.parametrize("command", ["review", "export"])
def test_every_command_is_where_the_front_door_looks(command: str, tmp_path: Path) -> None:
    done = run(command, tmp_path / "no-session")
    assert done.returncode in (2, 3), done.stderr
    assert "Traceback" not in done.stderr

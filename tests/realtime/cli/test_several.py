"""Several sources in one run, and a run on another device: what the events of one source alone would be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from mer_live.engines.bundle import CARD, load_bundle
from mer_live.realtime.demo.clip import demo_clip

SECONDS = 2.0
"""Of the bundled clip, with one movement at 1.3 s."""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mer_live.realtime.cli.main", "--no-ui", "--duration", str(SECONDS)]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=280, check=False
    )


def last_revisions(lines: str) -> list[dict[str, Any]]:
    """Newest revision of each event, without what hangs on the machine's speed."""
    found = {}
    for line in map(json.loads, lines.splitlines()):
        if line["type"] == "event":
            found[line.get("source"), line["id"]] = line | {"compute_ms": None}
    return list(found.values())


def test_two_files_give_what_each_gives_alone(tmp_path: Path) -> None:
    other, report = tmp_path / "other.mp4", tmp_path / "r.json"
    shutil.copy(demo_clip(), other)
    bundle = ("--bundle", "mtm")
    done = run("--video", demo_clip(), "--video", other, *bundle, "--events", "-", "--report", report)
    assert done.returncode == 0, done.stderr
    starts = [line for line in map(json.loads, done.stdout.splitlines()) if line["type"] == "start"]
    assert {start["source"] for start in starts} == {str(demo_clip()), str(other)}
    together = last_revisions(done.stdout)
    alone = last_revisions(run("--video", demo_clip(), *bundle, "--events", "-").stdout)
    assert len(alone) == 1
    by_source = {event.pop("source"): event for event in together}
    assert by_source == {str(demo_clip()): alone[0], str(other): alone[0]}
    reports = json.loads(report.read_text())["sources"]
    assert [one["frames"]["processed"] for one in reports] == [400, 400]
    assert [len(one["events"]) for one in reports] == [1, 1]
    assert done.stderr.count("frames processed") == 2


def test_a_source_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    done = run("--video", demo_clip(), "--video", tmp_path / "none.mp4")
    assert done.returncode == 3
    assert "none.mp4" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def permitting(folder: Path, *, own: str) -> Path:
    """The shipped madtn and atnet as if both flows were permitted; ``own``: the one that the CPU takes."""
    for name in ("madtn", "atnet"):
        shutil.copytree(load_bundle(name).path, folder / name)
        card = json.loads((folder / name / CARD).read_text())
        card["flows"] = ["dis", "farneback"]
        card["scores"] |= {"dis flow": {}, "farneback flow": {}}
        for wanted in card["inputs"]:
            if "flow" in wanted["representation"]:
                wanted["representation"]["flow"] |= {"method": own}
        (folder / name / CARD).write_text(json.dumps(card))
    return folder


def test_the_device_gives_the_events_of_the_cpu(tmp_path: Path) -> None:
    """Farneback flow on both sides: OpenCV's frame by frame here, torch's there, through the whole command."""
    both = {}
    for device in ("cpu", "cpu-torch"):
        folder = permitting(tmp_path / device, own="farneback" if device == "cpu" else "dis")
        bundles = ("--bundle", folder / "madtn", "--bundle", folder / "atnet")
        done = run("--video", demo_clip(), "--device", device, *bundles, "--events", "-")
        assert done.returncode == 0, done.stderr
        assert f"device {device} (asked for" in done.stderr
        assert f"flow farneback on the {'CPU' if device == 'cpu' else 'device'}" in done.stderr
        both[device] = last_revisions(done.stdout)
    assert len(both["cpu"]) == 1
    for got, expected in zip(both["cpu-torch"], both["cpu"], strict=True):
        assert got["label"] == expected["label"]
        assert abs(got["apex_frame"] - expected["apex_frame"]) <= 1
        for name, p in expected["probs"].items():
            assert abs(got["probs"][name] - p) < 0.02


def test_asking_for_a_gpu_that_is_not_there_ends_with_4() -> None:
    done = run("--video", demo_clip(), "--device", "cuda:9")
    assert done.returncode == 4
    assert "take --device c" in done.stderr or "pip install" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

"""Every example runs, as a user would start it."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.video_clips import write_demo

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo(tmp_path_factory.mktemp("videos") / "a.mp4", seconds=2.6, fps=50)


def example(name: str, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("name", ["camera_to_events", "own_frames", "asyncio_events", "own_loop"])
def test_a_video_gives_its_event(name: str, video: Path) -> None:
    assert "surprise" in example(name, str(video))


def test_a_folder_becomes_one_csv_and_a_broken_file_stops_nothing(video: Path, tmp_path: Path) -> None:
    (video.parent / "b.mp4").write_bytes(b"no video")
    out = tmp_path / "all.csv"
    example("folder_to_csv", str(video.parent), str(out))
    rows = list(csv.DictReader(out.open(newline="")))
    assert {row["video"] for row in rows} == {"a.mp4", "b.mp4"}
    assert [row["label"] for row in rows if row["video"] == "a.mp4"] == ["surprise"]
    assert next(row["problem"] for row in rows if row["video"] == "b.mp4")


def test_a_clip_cut_by_hand_is_classified(tmp_path: Path) -> None:
    path = write_demo(tmp_path / "clip.mp4", seconds=1.665, fps=200, start_s=1.3)
    probs = {
        line.split()[0]: float(line.split()[1])
        for line in example("classify_clip", str(path), "30").splitlines()
    }
    assert np.isclose(sum(probs.values()), 1, atol=0.01)
    assert max(probs, key=lambda name: probs[name]) == "surprise"


def test_each_example_is_short() -> None:
    for path in EXAMPLES.glob("*.py"):
        if path.name == "genicam_source.py":
            continue  # a source for a package of one's own, no program
        assert 10 <= len(path.read_text(encoding="utf-8").splitlines()) <= 35, path.name

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from mer_live.benchmarks.inputs import looped
from mer_live.benchmarks.live import _report
from mer_live.realtime.demo.clip import demo_clip


def frames_of(path: Path) -> tuple[int, float]:
    capture = cv2.VideoCapture(str(path))
    count, newest_ms = 0, -1.0
    while capture.grab():
        at_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
        assert at_ms > newest_ms
        count, newest_ms = count + 1, at_ms
    capture.release()
    return count, newest_ms


def test_a_looped_clip_has_every_frame_in_order(tmp_path: Path) -> None:
    once, _ = frames_of(demo_clip())
    count, newest_ms = frames_of(looped(demo_clip(), tmp_path / "long.mp4", 12.0))
    assert once < count == 2400
    assert newest_ms == pytest.approx(11_995, abs=1)


def test_a_run_reports_what_the_figures_need(tmp_path: Path) -> None:
    clip = looped(demo_clip(), tmp_path / "short.mp4", 2.0)
    report = _report(clip, "max", tmp_path)
    assert report["frames"] == {"captured": 400, "processed": 400, "dropped": 0}
    assert report["compute_ms"]["final"]["n"] == 1
    assert report["compute_ms"]["final"]["p99"] >= report["compute_ms"]["final"]["p50"] > 0
    assert report["startup_s"] > 0
    assert 50 < report["memory_mb"] < 4000


def test_a_failing_run_says_what_the_command_said(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="there is no file"):
        _report(tmp_path / "none.mp4", "max", tmp_path)

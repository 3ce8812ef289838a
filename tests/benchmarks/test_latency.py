from __future__ import annotations

from pathlib import Path

import pytest
from support.some_bundles import some_bundles

from mer_live.benchmarks import latency
from mer_live.benchmarks.inputs import HeldClip, demo_recording
from mer_live.benchmarks.report.page import write_page
from mer_live.benchmarks.result import Result


@pytest.fixture(scope="module")
def result() -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "BUNDLES", some_bundles())
        patch.setattr(latency, "demo_recording", lambda seconds: demo_recording(0.6))
        return latency.run(quick=True, repeats=3)


def test_every_stage_is_there_and_its_quantiles_are_in_order(result: Result) -> None:
    names = {(times.group, times.name) for times in result.times}
    for name in ("ring read", "landmarks", "flow dis ultrafast 112", "flow farneback 224", "ADM row"):
        assert ("alone", name) in names
    assert {f"bare {name}" for name in ("ring", "crop", "motion", "spotter")} <= {name for _, name in names}
    assert {("whole path", name) for name in ("crop", "motion", "spotter", "frame")} <= names
    assert any("onnxruntime" in name for group, name in names if group == "once a spot")
    for times in result.times:
        assert 0 < times.p50 <= times.p95 <= times.p99 <= times.max * 1.012, times.name
        assert len(times.curve) == 101


def test_the_overhead_ratio_is_path_over_kernels(result: Result) -> None:
    whole, bare = (result.figure(f"{name} per frame").value for name in ("whole path", "bare kernels"))
    assert whole is not None
    assert bare is not None
    assert result.figure("overhead_ratio").value == pytest.approx(whole / bare)
    kernels = [times for times in result.times if times.group == "bare kernels"]
    assert len(kernels) == 4
    # A mean lies between what half of the frames take and the slowest one.
    assert 0.5 * sum(times.p50 for times in kernels) < bare < sum(times.max for times in kernels)


def test_its_page_can_be_written(result: Result, tmp_path: Path) -> None:
    assert "overhead_ratio" in write_page([result], tmp_path).read_text(encoding="utf-8")
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "where-a-frames-time-goes.png",
        "distribution-of-stage-times.png",
    }


def test_a_slower_camera_takes_the_nearest_frames() -> None:
    recording: HeldClip = demo_recording(0.5)
    slow = recording.at_rate(50)
    assert slow.fps == pytest.approx(50, rel=0.01)
    with pytest.raises(ValueError, match="200 fps"):
        recording.at_rate(400)
    assert recording.at_size(320, 240).frames.shape[1:] == (240, 320, 3)
    assert recording.at_size(1280, 720).frames.shape[1:] == (720, 1280, 3)

"""The stage with a device against the CPU's, through the meter: the same measurement, the same rows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.moving_crops import assert_adm_close, crops_of

torch = pytest.importorskip("torch")

from mer_live.engines.device.device import Device  # noqa: E402
from mer_live.engines.device.rows import AdmRows  # noqa: E402
from mer_live.engines.representation.specs import AdmSpec, FlowConfig  # noqa: E402
from mer_live.realtime.motion.cpu import CpuStage  # noqa: E402
from mer_live.realtime.motion.cuda import CudaStage  # noqa: E402
from mer_live.realtime.motion.meter import MotionMeter  # noqa: E402
from mer_live.realtime.motion.stage import FlowSpec, OpenStage  # noqa: E402
from mer_live.realtime.types import FaceCrop, Motion  # noqa: E402

SPEC = AdmSpec(flow=FlowConfig(method="farneback"), flow_px=112)
FIRST = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
SECOND = np.array([[1.02, 0.03, -3.0], [-0.03, 1.02, 2.0]], np.float32)
torch.set_num_threads(1)


def on_device(rows: AdmRows) -> OpenStage:
    return lambda size, tracked, adm: CudaStage(size, tracked, rows)


def seen(k: int, gray: NDArray[np.uint8], t_ms: int, *, moved: bool = False) -> FaceCrop:
    """A crop; ``moved``: under another anchoring."""
    warp = SECOND if moved else FIRST
    if moved:
        gray = np.asarray(cv2.warpAffine(gray, warp, (224, 224), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    return FaceCrop(k, t_ms * 1_000_000, gray, warp, None, 1 + moved)


def stream(case: str) -> list[FaceCrop]:
    gray = crops_of(length=8)
    times = [5 * k for k in range(8)]
    if case == "gap":
        times[4:] = [t + 400 for t in times[4:]]
    if case == "repeated":
        gray[4] = gray[3]
    return [seen(k, gray[k], times[k], moved=case == "anchor" and k >= 4) for k in range(8)]


def measured(crops: list[FaceCrop], stage: OpenStage) -> list[Motion]:
    meter = MotionMeter(adm=SPEC, stage=stage)
    made = [meter.update(crop) for crop in crops]
    meter.close()
    return made


@pytest.mark.parametrize("case", ["plain", "anchor", "gap", "repeated"])
def test_as_on_the_cpu(case: str) -> None:
    rows = AdmRows(Device("cpu"), SPEC)
    for got, expected in zip(
        measured(stream(case), on_device(rows)), measured(stream(case), CpuStage), strict=True
    ):
        for name in ("regions", "speed", "texture", "head"):  # the tracker never hangs on the device
            np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
        assert (got.adm is None) == (expected.adm is None)
        if got.adm is not None and expected.adm is not None:
            assert_adm_close(got.adm, expected.adm)
    rows.open()  # the meter gave its place back


def test_restarting_forgets_the_crop_before() -> None:
    gray = crops_of(length=3)
    stages = [CpuStage(224, FlowSpec(), SPEC), CudaStage(224, FlowSpec(), AdmRows(Device("cpu"), SPEC))]
    points = np.array([[100.0, 120.0]], np.float32)
    made = []
    for stage in stages:
        stage.restart(gray[0])
        stage.restart(gray[1])
        moved, row = stage.step(gray[2], points), stage.row()
        assert row is not None
        made.append((moved, row))
    np.testing.assert_array_equal(made[0][0], made[1][0])
    assert_adm_close(made[1][1], made[0][1])


def test_a_closed_stage_says_so() -> None:
    stage = CudaStage(224, FlowSpec(), AdmRows(Device("cpu"), SPEC))
    stage.close()
    stage.close()
    with pytest.raises(ValueError, match="closed"):
        stage.restart(crops_of(length=1)[0])

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import pytest
from support.moving_crops import crops_of

from mer_live.engines.representation.specs import AdmSpec
from mer_live.realtime.motion.beside import MOST, Beside
from mer_live.realtime.motion.cpu import CpuStage
from mer_live.realtime.motion.meter import MotionMeter
from mer_live.realtime.types import FaceCrop, Motion

WARPS = [np.array([[1, 0, shift], [0, 1, 0]], np.float32) for shift in (0.0, 2.0)]


def test_rows_made_beside_are_the_same() -> None:
    gray = crops_of(length=2 * MOST)

    def measured(*, beside: bool) -> list[Motion]:
        meter = MotionMeter(adm=AdmSpec(), stage=partial(CpuStage, beside=beside))
        made = []
        for k, image in enumerate(gray):
            later = 400_000_000 if k > 20 else 0  # after a gap it begins anew
            anchor = int(k > 9)
            crop = FaceCrop(k, k * 5_000_000 + later, image, WARPS[anchor], None, anchor)
            made.append(meter.update(crop))
        there = meter.later(lambda: None)
        assert (there is not None) == beside
        if there is not None:
            assert there.wait(30)
        meter.close()
        meter.close()
        return made

    for got, expected in zip(measured(beside=True), measured(beside=False), strict=True):
        np.testing.assert_array_equal(got.regions, expected.regions)
        assert (got.adm is None) == (expected.adm is None)
        if got.adm is not None and expected.adm is not None:
            # A last bit hangs on how a scratch array lies in memory.
            np.testing.assert_allclose(got.adm, expected.adm, rtol=1e-5, atol=1e-6)


def test_what_fails_beside_is_raised_and_nobody_waits_for_ever() -> None:
    beside, reached = Beside("test"), threading.Event()

    def fail() -> None:
        raise ValueError("no row")

    beside.put(fail)
    beside.put(reached.set)
    assert reached.wait(30)
    with pytest.raises(ValueError, match="no row"):
        beside.put(fail)
    beside.close()

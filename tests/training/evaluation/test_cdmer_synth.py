from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mer_live.engines.executors import LocalExecutor
from mer_live.training.evaluation.cdmer_synth import CAMERAS, CameraPlan, compare, render
from mer_live.training.prepared.prepared_set import PreparedSet


def test_two_people_before_three_cameras(faces: Path, tmp_path: Path) -> None:
    plan = CameraPlan(people=2, clips=3, size=32)
    data = render(faces, tmp_path / "set", plan)
    prepared = PreparedSet.open(data)
    assert len(prepared) == 2 * 3 * len(CAMERAS)
    assert set(prepared.datasets) == {"smic-hs", "smic-vis", "smic-nir"}
    assert len(set(prepared.subjects)) == 2
    assert prepared.array("motion").shape == (18, 32, 32, 3)
    copies = prepared.copies("motion")
    assert copies is not None
    assert set(copies.rows) == set(range(18))
    stamp = (data / "motion.npy").stat().st_mtime_ns
    assert render(faces, tmp_path / "set", plan) == data
    assert (data / "motion.npy").stat().st_mtime_ns == stamp
    report = compare(data, tmp_path / "out", size=32, epochs=1, seeds=(0,), executor=LocalExecutor(1))
    assert set(report["scores"]) == {"0", "2"}
    assert report["pairs"] == 6
    assert np.isfinite(report["gain_mean_f1"])
    again = compare(data, tmp_path / "out", size=32, epochs=2, seeds=(0,), executor=LocalExecutor(1))
    assert again["config"]["epochs"] == 2


def test_one_face_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no face photographs"):
        render(tmp_path, tmp_path / "set", CameraPlan())

from __future__ import annotations

from pathlib import Path

import pytest

from mer_live.benchmarks import beside


def test_a_checkout_beside_itself_has_figures_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "_SHORT_S", 0.1)
    monkeypatch.setattr(beside, "_LONG_S", 0.6)
    result = beside.run(Path(beside.__file__).parents[1], rounds=1)
    # So short a run costs less than the clock of processes tells apart: what stands there may be below zero.
    for words in ("processor time", "worker, p50"):
        here, there, ratio = (
            result.figure(f"{name}: {words}") for name in ("a frame here", "a frame there", "here / there")
        )
        assert here.n == there.n == ratio.n == 1
    assert (here.value or 0) > 0
    assert (there.value or 0) > 0
    assert ratio.value == pytest.approx((here.value or 0) / (there.value or 1))


def test_a_folder_that_is_no_checkout_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no checkout"):
        beside.run(tmp_path)

from __future__ import annotations

from pathlib import Path

import pytest
from support.some_bundles import some_bundles

from mer_live.benchmarks import delay
from mer_live.benchmarks.inputs import demo_recording
from mer_live.benchmarks.report.page import write_page
from mer_live.benchmarks.result import Result


@pytest.fixture(scope="module")
def result() -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delay, "BUNDLES", some_bundles())
        patch.setattr(delay, "RATES", (100,))
        patch.setattr(delay, "demo_recording", lambda seconds: demo_recording(2.6))
        return delay.run(quick=True)


def test_the_steps_come_one_after_the_other(result: Result) -> None:
    for phase in ("provisional", "final"):
        delays = result.details[f"100 {phase}"]
        assert len(delays) <= 1, "the clip's first 2.6 s hold one event"
        for decided, emitted, shown in delays:
            assert decided <= emitted <= shown
            assert decided > -100, "ms after the true apex or offset"


def test_every_step_has_a_figure_even_when_nothing_was_found(result: Result) -> None:
    names = {figure.name for figure in result.figures}
    assert names == {f"100 fps {p}: {s}" for p in ("provisional", "final") for s in delay.STEPS}


def test_its_page_can_be_written(result: Result, tmp_path: Path) -> None:
    assert "provisional: decided" in write_page([result], tmp_path).read_text(encoding="utf-8")

"""What a frame costs besides time: the counter sees what a profiler does not, and what is kept is found."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from mer_live.benchmarks.frame.calls import STAGES
from mer_live.benchmarks.frame.counting import _NAMES, Counts, _Around
from mer_live.benchmarks.frame.memory import taken
from mer_live.benchmarks.frame.run import _calls, _counted, _lines
from mer_live.benchmarks.inputs import demo_recording
from mer_live.realtime.path import FacePath

CODE = """
import threading
import cv2
import numpy as np

def work(a: np.ndarray, k: int) -> np.ndarray:
    b: np.ndarray = np.abs(a) + 1
    b[0] = len(b)
    b *= k + 1
    cv2.flip(b, 1)
    return b.sum() if k > 0 else b[1:]
"""


def test_calls_operators_and_items_of_numpy_are_counted_and_numbers_are_not() -> None:
    counts = Counts()
    names = dict(zip(_NAMES, (counts.called, counts.made), strict=True))
    tree = ast.fix_missing_locations(_Around("work.py").visit(ast.parse(CODE)))
    exec(compile(tree, "work.py", "exec"), names)
    names["work"](np.ones((3, 3)), 1)
    assert counts.n == 0, "another thread's, or nobody's"
    counts.thread = names["threading"].get_ident()
    assert names["work"](np.ones((3, 3)), 1) == 42
    assert dict(counts.lines) == {
        "work.py:7": 2,
        "work.py:8": 1,
        "work.py:9": 1,
        "work.py:10": 1,
        "work.py:11": 1,
    }


def test_what_a_path_keeps_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    recording, kept, step = demo_recording(0.2), [], FacePath.step

    def leaks(path, *given):  # type: ignore[no-untyped-def]
        kept.append(np.zeros(1000, np.uint8))
        return step(path, *given)

    monkeypatch.setattr(FacePath, "step", leaks)
    found = taken(recording, 60, warm=10)
    assert found.gained_bytes > 60_000
    assert "test_frame" in found.grew[0] or any("test_frame" in line for line in found.grew)
    assert len(found.peaks) + found.decisions == 60


@pytest.mark.slow
def test_frames_of_each_kind_are_counted_by_stage() -> None:
    counted = _counted(3.0)
    figures = {figure.name.rpartition(" ")[2]: figure.value or 0 for figure in _calls(counted["rows"])}
    assert 50 < figures["usual"] < figures["look"]
    assert all(len(row) == len(STAGES) for rows in counted["rows"].values() for row in rows)
    assert _lines(counted, "usual")["rows"]

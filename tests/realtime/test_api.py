from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

import mer_live.realtime as api
from mer_live.benchmarks.inputs import HeldClip, demo_recording
from mer_live.realtime import LiveConfig, SourceError, watch


@pytest.fixture(scope="module")
def clip() -> HeldClip:
    """The demo clip's first event at 50 fps."""
    return demo_recording(2.6).at_rate(50)


def pairs(clip: HeldClip) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    yield from zip(clip.t_ns.tolist(), clip.frames, strict=True)


def test_frames_of_one_s_own_give_events_and_threads_end(clip: HeldClip) -> None:
    before = set(threading.enumerate())
    with watch(pairs(clip), bundles=["madtn"], backend="onnxruntime") as session:
        events = list(session)
    assert {event.label for event in events} == {"surprise"}
    assert abs(events[-1].span.apex.t_ns - clip.truth[0].span.apex.t_ns) < 40e6
    frames = session.report()["frames"]
    assert (frames["captured"], frames["processed"], frames["dropped"]) == (130, 130, 0)
    assert set(threading.enumerate()) <= before


def test_every_event_that_is_given_out_is_of_the_state_asked_for(clip: HeldClip) -> None:
    with watch(pairs(clip), bundles=["madtn"], backend="onnxruntime", decide="provisional") as session:
        states = [event.state for event in session]
    assert states[0] == "provisional"
    with watch(pairs(clip), bundles=["madtn"], backend="onnxruntime", decide="final") as session:
        assert [event.state for event in session] == [state for state in states if state != "provisional"]


def test_leaving_early_ends_everything(clip: HeldClip) -> None:
    before = set(threading.enumerate())
    with watch(pairs(clip), bundles=["madtn"], backend="onnxruntime", decide="provisional") as session:
        next(iter(session))
    assert set(threading.enumerate()) <= before
    assert session.pipeline.join(0)


def test_what_ends_a_source_is_raised_after_its_events(clip: HeldClip) -> None:
    def broken() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for k, pair in enumerate(pairs(clip)):
            yield pair if k < 100 else (pair[0], pair[1][:100])

    with watch(broken(), bundles=["madtn"], backend="onnxruntime") as session:
        with pytest.raises(SourceError, match="picture 100 is"):
            list(session)
        assert session.pipeline.counters.processed == 100


@pytest.mark.parametrize(
    ("frames", "fps", "words"),
    [
        ([], None, "no picture"),
        ([np.zeros((20, 20, 3), np.uint8)], None, "give fps"),
        ([np.zeros((20, 20), np.uint8)], 30.0, "uint8 BGR"),
        ([np.zeros((20, 20, 3), np.float32)], 30.0, "uint8 BGR"),
    ],
)
def test_frames_that_cannot_be_are_refused_in_one_sentence(
    frames: list[NDArray[np.uint8]], fps: float | None, words: str
) -> None:
    with pytest.raises(SourceError, match=words), watch(frames, fps=fps, bundles=["madtn"]):
        pass


def test_arguments_out_of_range_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="decide"):
        watch(0, decide="later")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Sensitivity"):
        LiveConfig(sensitivity=2)


def test_all_names_are_there_and_loading_the_package_loads_nothing_heavy() -> None:
    for name in api.__all__:
        assert getattr(api, name) is not None
    assert set(api.__all__) <= set(dir(api))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = api.nonsense
    script = "import sys, mer_live.realtime; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"cv2", "torch", "mediapipe", "numpy", "openvino"} & set(run.stdout.split())

"""ADM rows of a device, here the CPU: the same as OpenCV's, in one batch or alone, eager or replayed."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
from support.moving_crops import assert_adm_close, crops_of
from support.recorded_graph import CaptureError, RecordedGraphs

from mer_live.engines.device.device import Device, sizes_up_to
from mer_live.engines.device.rows import AdmRows
from mer_live.engines.representation.adm import adm_rows
from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.specs import AdmSpec, FlowConfig

FARNEBACK = FlowConfig(method="farneback")
SMALL = AdmSpec(flow=FARNEBACK, flow_px=112)
torch.set_num_threads(1)


def expected_of(gray: np.ndarray, spec: AdmSpec) -> np.ndarray:
    return adm_rows(gray, make_flow(spec.flow), spec.direction, flow_px=spec.flow_px)


@pytest.mark.parametrize("flow_px", [224, 112])
def test_rows_equal_opencv(flow_px: int) -> None:
    gray, spec = crops_of(length=4), AdmSpec(flow=FARNEBACK, flow_px=flow_px)
    rows = AdmRows(Device("cpu"), spec)
    face = rows.open()
    got = []
    for crop in gray:
        rows.start(face, crop)
        got.append(rows.row(face))
    assert_adm_close(np.stack(got[1:]), expected_of(gray, spec)[1:])


def test_flickering_light_is_levelled_as_on_the_cpu() -> None:
    """Within .01 px: the CPU scales the crop and rounds to whole gray levels, the device scales its expansion."""
    gray = crops_of(length=5)
    gray[1::2] = np.rint(gray[1::2] * 0.8)
    rows = AdmRows(Device("cpu"), SMALL)
    face, got = rows.open(), []
    for crop in gray:
        rows.start(face, crop)
        got.append(rows.row(face))
    assert np.abs(np.stack(got[1:]) - expected_of(gray, SMALL)[1:])[:, 1::2].max() < 0.01


def test_what_is_ready_goes_together_and_nobody_waits() -> None:
    """Two faces step, one of them twice as often; each has the rows that it would have alone."""
    clips = [crops_of(seed, 5) for seed in range(3)]
    rows = AdmRows(Device("cpu"), SMALL, places=3)
    faces = [rows.open() for _ in clips]
    got: list[list[np.ndarray]] = [[], [], []]
    for k in range(5):
        stepping = [n for n in range(3) if n < 2 or k % 2 == 0]
        for n in stepping:
            rows.start(faces[n], clips[n][k])
        got_now = {n: rows.row(faces[n]) for n in reversed(stepping)}
        for n in stepping:
            got[n].append(got_now[n])
    for n, taken in ((0, clips[0]), (1, clips[1]), (2, clips[2][::2])):
        assert_adm_close(np.stack(got[n][1:]), expected_of(taken, SMALL)[1:])


def test_faces_that_start_while_a_batch_flies_share_the_next() -> None:
    """Held in the air by hand, the first batch has one face, the second the two that came meanwhile."""
    rows = AdmRows(Device("cpu"), SMALL, places=4)
    faces = [rows.open() for _ in range(3)]
    sizes = []
    for batch in rows._batches:
        run = batch.run
        batch.run = lambda run=run, count=batch.count: (sizes.append(count), run())[1]  # type: ignore[misc]
    gray = crops_of(length=3)
    for face, crop in zip(faces, gray, strict=True):
        rows.start(face, crop)
    for face in faces:
        rows.row(face)
    assert sizes == [1, 2]


def test_a_row_is_of_the_newest_crop_also_after_a_restart() -> None:
    gray = crops_of(length=4)
    rows = AdmRows(Device("cpu"), SMALL)
    face = rows.open()
    rows.start(face, gray[0])
    for crop in gray[2:]:  # nobody asks for the row of the crop before
        rows.start(face, crop)
    assert_adm_close(rows.row(face), expected_of(gray[2:], SMALL)[1])


def test_threads_get_their_own_rows() -> None:
    clips = [crops_of(seed, 4) for seed in range(3)]
    rows = AdmRows(Device("cpu"), SMALL, places=3)
    got: dict[int, np.ndarray] = {}

    def run(n: int) -> None:
        face = rows.open()
        made = []
        for crop in clips[n]:
            rows.start(face, crop)
            made.append(rows.row(face))
        rows.close(face)
        got[n] = np.stack(made[1:])

    threads = [threading.Thread(target=run, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for n, clip in enumerate(clips):
        assert_adm_close(got[n], expected_of(clip, SMALL)[1:])


def test_places_are_bounded_and_come_back() -> None:
    rows = AdmRows(Device("cpu"), SMALL)
    face = rows.open()
    with pytest.raises(RuntimeError, match="all 1 places"):
        rows.open()
    with pytest.raises(ValueError, match="no crop"):
        rows.row(face)
    rows.close(face)
    assert rows.open() == face


# What a CUDA graph holds


def test_replays_of_a_recorded_graph_give_the_rows() -> None:
    """Nothing but fixed memory decides the result: what Python does between capture and replay is not seen."""
    graphs = RecordedGraphs()
    rows = AdmRows(graphs.device(), SMALL, places=2)
    assert (graphs.captures, graphs.replays) == (len(sizes_up_to(2)), 0)
    clips = [crops_of(seed, 3) for seed in range(2)]
    faces = [rows.open(), rows.open()]
    for k in range(3):
        for face, clip in zip(faces, clips, strict=True):
            rows.start(face, clip[k])
        last = [rows.row(face) for face in faces]
    for got, clip in zip(last, clips, strict=True):
        assert_adm_close(got, expected_of(clip, SMALL)[-1])
    assert graphs.captures == len(sizes_up_to(2))
    assert graphs.replays >= 3


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda t, _: t.sum().item(), "reads a value back"),
        (lambda t, _: t.numpy(), "waits for the device"),
        (lambda t, _: t.cpu(), "waits for the device"),
        (lambda t, _: t[t > 0], "shape that hangs on values"),
        (lambda t, _: t.nonzero(), "shape that hangs on values"),
        (lambda t, _: t + torch.tensor([1.0]), "host memory"),
        (lambda t, _: t + torch.ones(3), "allocates"),
        (lambda t, d: t.copy_(d.pinned(3)), "allocates"),
    ],
    ids=["read", "numpy", "down", "mask", "nonzero", "constant", "new", "pinned"],
)
def test_the_stand_in_refuses_what_a_capture_cannot_do(function: Any, why: str) -> None:
    device = RecordedGraphs().device()
    given = device.zeros(3) + 1
    with pytest.raises(CaptureError, match=why):
        device.captured(lambda: function(given, device), None)


@pytest.mark.parametrize(
    "function",
    [lambda t, host: t.copy_(host), lambda t, host: host.copy_(t), lambda t, host: t + host[:3]],
    ids=["up", "down", "mixed"],
)
def test_the_stand_in_refuses_host_memory_that_somebody_waits_for(function: Any) -> None:
    device = RecordedGraphs().device()
    given, host = device.zeros(3), device.pinned(3)
    with pytest.raises(CaptureError, match="non_blocking"):
        device.captured(lambda: function(given, host), None)
    replay = device.captured(lambda: given.copy_(host, non_blocking=True), None)
    host.fill_(2)
    assert replay().tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    "change", [lambda t: t.set_(torch.ones(3)), lambda t: t.resize_(2)], ids=["memory", "shape"]
)
def test_the_stand_in_refuses_memory_that_moves_and_shapes_that_change(change: Any) -> None:
    given = torch.ones(3)
    replay = Device("cpu", RecordedGraphs()).captured(lambda: given * 2, None)
    change(given)
    with pytest.raises(CaptureError, match="moved"):
        replay()


def test_batch_sizes_are_powers_of_two() -> None:
    assert [sizes_up_to(n) for n in (1, 2, 3, 8)] == [[1], [1, 2], [1, 2, 4], [1, 2, 4, 8]]

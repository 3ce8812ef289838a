from __future__ import annotations

import numpy as np

from mer_live.realtime.history import CropHistory
from mer_live.realtime.types import FaceCrop, Moment, Motion, Span, Spot

SIZE = 8


def motion(index: int, t_ns: int, anchor: int) -> Motion:
    empty = np.zeros((3, 2), np.float32)
    return Motion(
        index=index,
        t_ns=t_ns,
        anchor=anchor,
        regions=empty,
        speed=empty,
        texture=empty[:, 0],
        head=np.zeros(4, np.float32),
        adm=np.full(128, index, np.float32),
    )


def fill(history: CropHistory, frames: range, anchor: int = 1) -> None:
    for index in frames:
        history.slot()[:] = index % 256
        t_ns = index * 5_000_000
        crop = FaceCrop(index, t_ns, history.slot(), np.eye(2, 3, dtype=np.float32), None, anchor)
        history.commit(crop, motion(index, t_ns, anchor))


def spot(onset: int, apex: int, offset: int | None, decided: int) -> Spot:
    span = Span(Moment(onset, 0), Moment(apex, 0), None if offset is None else Moment(offset, 0))
    return Spot(1, "apex" if offset is None else "offset", span, 1.0, Moment(decided, 0))


def holding(frames: int, seconds: float = 60.0) -> CropHistory:
    return CropHistory(seconds, frames * SIZE * SIZE, SIZE)


def test_a_clip_holds_the_frames_from_onset_to_decision() -> None:
    history = holding(32)
    fill(history, range(50))
    clip = history.clip(spot(30, 35, 40, 44))
    assert clip is not None
    assert clip.gray[:, 0, 0].tolist() == list(range(30, 45))
    assert (clip.onset, clip.apex, clip.offset) == (0, 5, 10)
    assert clip.adm is not None
    assert clip.adm[0].tolist() == [0.0] * 128
    assert clip.adm[1, 0] == 31
    some = history.clip(spot(30, 35, 40, 44), lambda apex, offset, newest: [apex, offset or 0, newest])
    assert some is not None
    assert some.gray.shape == clip.gray.shape
    assert some.gray[[5, 10, 14], 0, 0].tolist() == [35, 40, 44]


def test_a_clip_is_a_copy() -> None:
    history = holding(16)
    fill(history, range(10))
    clip = history.clip(spot(2, 4, None, 8))
    assert clip is not None
    fill(history, range(10, 40))
    assert clip.gray[:, 0, 0].tolist() == list(range(2, 9))


def test_frames_that_fell_out_give_no_clip() -> None:
    history = holding(16)
    fill(history, range(40))
    assert history.clip(spot(20, 26, None, 39)) is None


def test_dropped_frames_are_bridged_by_index() -> None:
    history = holding(32)
    fill(history, range(5))
    fill(history, range(8, 12))
    clip = history.clip(spot(3, 9, 10, 11))
    assert clip is not None
    assert clip.gray[:, 0, 0].tolist() == [3, 4, 8, 9, 10, 11]
    assert clip.apex == 3


def test_crops_of_a_later_anchoring_move_into_the_crop_of_the_onset() -> None:
    history = holding(16)
    frame = np.arange(SIZE * 3, dtype=np.float32)[None].repeat(SIZE, 0) * 9  # a ramp, wider than a crop
    for index, shift in enumerate([0, 0, 2, 2]):
        history.slot()[:] = frame[:, shift : shift + SIZE]
        warp = np.array([[1, 0, -shift], [0, 1, 0]], np.float32)
        crop = FaceCrop(index, index, history.slot(), warp, None, anchor=1 + bool(shift))
        history.commit(crop, motion(index, index, crop.anchor))
    clip = history.clip(spot(0, 2, None, 3))
    assert clip is not None
    assert clip.gray[3, 0, 2:].tolist() == clip.gray[0, 0, 2:].tolist()


def test_what_is_kept_is_counted_in_seconds() -> None:
    history = holding(1000, seconds=0.1)  # 20 frames of 5 ms
    fill(history, range(200))
    assert history.clip(spot(181, 185, None, 199)) is not None
    assert history.clip(spot(170, 185, None, 199)) is None


def test_a_faster_camera_gets_more_places() -> None:
    history = holding(1000, seconds=0.1)
    fill(history, range(0, 100, 4))  # every 20 ms
    fill(history, range(100, 200))  # every 5 ms
    clip = history.clip(spot(181, 185, None, 199))
    assert clip is not None
    assert clip.gray[:, 0, 0].tolist() == list(range(181, 200))

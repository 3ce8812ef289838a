from __future__ import annotations

import threading
from fractions import Fraction

import numpy as np
import pytest
from av import VideoFrame
from numpy.typing import NDArray

from mer_live.realtime.ring import FrameRing
from mer_live.realtime.web.media.track import TrackSource, analysed_size, convert

MS = 1_000_000
RATE = Fraction(1, 90_000)


def picture(size: tuple[int, int] = (64, 48), seed: int = 0) -> NDArray[np.uint8]:
    """Smooth colours, as a camera gives them."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    planes = [128 + 90 * np.sin((x * (k + 1) + y + seed * 9) / 17) for k in range(3)]
    return np.stack(planes, axis=2).astype(np.uint8)


def frame(number: int, size: tuple[int, int] = (64, 48)) -> VideoFrame:
    made = VideoFrame.from_ndarray(picture(size, number), format="bgr24").reformat(format="yuv420p")
    made.pts, made.time_base = number * 3000, RATE
    return made


def offer(source: TrackSource, first: int, last: int, size: tuple[int, int] = (64, 48)) -> None:
    for k in range(first, last):
        source.offer(frame(k, size), 10**12 + k * 33_333_333)


def test_frames_come_out_in_order_on_the_senders_own_intervals() -> None:
    source = TrackSource((64, 48), depth=100)
    ring = FrameRing(64, 48, 64, block=False)
    reader = ring.reader()
    source.start(ring)
    offer(source, 0, 40)
    frames = [reader.read(10) for _ in range(31)]  # the clock listens to the first nine
    source.stop()
    assert source.join(10)
    times = [f.t_ns for f in frames if f is not None]
    assert len(times) == 31
    assert np.abs(np.diff(times) - 33_333_333).max() <= 1
    assert (source.received, source.lost, source.error) == (40, 0, None)


def test_what_the_thread_cannot_take_is_dropped_oldest_first_and_counted() -> None:
    source = TrackSource((64, 48), depth=4)
    slot = np.empty((48, 64, 3), np.uint8)
    source._ring = FrameRing(2, 48, 64, block=False)  # as started, with a thread that does not come
    offer(source, 0, 30)
    assert source.lost == 21 - 4
    times = [source.fill(slot) for _ in range(4)]
    assert times == [10**12 + k * 33_333_333 for k in range(26, 30)]
    convert(frame(29), expected := np.empty_like(slot))
    assert np.array_equal(slot, expected)


def test_what_was_given_up_before_the_decoder_is_lost_too() -> None:
    undecoded = 3  # before the start: nobody's loss
    source = TrackSource((64, 48), undecoded=lambda: undecoded)
    assert source.lost == 0
    undecoded = 10
    assert source.lost == 7


def test_offering_never_waits_for_a_thread_that_converts() -> None:
    source = TrackSource((64, 48))
    done = threading.Thread(target=offer, args=(source, 0, 500))
    done.start()
    done.join(30)
    assert not done.is_alive()
    assert len(source._waiting) == 8
    assert source.lost == 0  # nobody was there to lose them


def test_a_backlog_is_not_analysed_and_a_longer_way_is_accepted() -> None:
    source = TrackSource((64, 48), depth=1000)
    source._ring = FrameRing(2, 48, 64, block=False)
    step = 33_333_333
    offer(source, 0, 40)
    kept = len(source._waiting)
    for k in range(40, 60):  # all at once, a second late
        source.offer(frame(k), 10**12 + k * step + 1000 * MS)
    assert (len(source._waiting), source.lost) == (kept, 20)
    offer(source, 60, 70)
    assert len(source._waiting) == kept + 10
    for k in range(70, 270):  # from now on the way takes a second more
        source.offer(frame(k), 10**12 + k * step + 1000 * MS)
    assert len(source._waiting) > kept + 10 + 80
    assert source.clock.resyncs == 1
    times = [t for _, t in source._waiting]
    assert times == sorted(times)


def test_repeated_and_late_frames_are_left_out() -> None:
    source = TrackSource((64, 48), depth=100)
    offer(source, 0, 20)
    waiting = len(source._waiting)
    source.offer(frame(19), 10**12 + 20 * 33_333_333)
    source.offer(frame(18), 10**12 + 20 * 33_333_333)
    assert len(source._waiting) == waiting
    assert source.clock.skipped == 2


def test_another_size_is_scaled_without_stretching() -> None:
    source = TrackSource((64, 48), depth=100)
    offer(source, 0, 12)
    offer(source, 12, 20, size=(48, 64))  # the phone was turned
    slot = np.empty((48, 64, 3), np.uint8)
    while source._waiting:
        source.fill(slot)
    assert source.received_size == (48, 64)
    assert not slot[:, :13].any()
    assert slot[:, 16:48].mean() > 60


@pytest.mark.parametrize("size", [(64, 48), (62, 48), (640, 480)])
def test_the_fast_conversion_is_the_one_of_ffmpeg(size: tuple[int, int]) -> None:
    made = frame(3, size)
    slot = np.empty((size[1], size[0], 3), np.uint8)
    convert(made, slot)
    reference = made.to_ndarray(format="bgr24")
    # Both are BT.601 with limited range; they differ in how they spread the colour of four pixels.
    assert np.abs(slot.astype(int) - reference).mean() < 2.0
    gray = [a.astype(float) @ (0.114, 0.587, 0.299) for a in (slot, reference)]
    assert np.abs(gray[0] - gray[1]).max() < 4.0
    full = made.reformat(format="yuvj420p")
    convert(full, slot)
    assert np.abs(slot.astype(int) - reference).mean() < 3.0


def test_muted_frames_are_received_and_not_kept() -> None:
    source = TrackSource((64, 48))
    source.muted = True
    offer(source, 0, 30)
    assert (source.received, len(source._waiting), source.lost) == (30, 0, 0)


def test_stopping_wakes_the_thread_and_lets_go_of_the_frames() -> None:
    source = TrackSource((64, 48))
    source.start(FrameRing(4, 48, 64, block=False))
    source.stop()
    assert source.join(10)
    assert source.error is None
    offer(source, 0, 1)


def test_the_analysed_size() -> None:
    assert analysed_size((640, 480), None, 1280 * 720) == (640, 480)
    assert analysed_size((320, 240), (640, 480), 1280 * 720) == (640, 480)  # it will grow
    assert analysed_size((480, 640), (640, 480), 1280 * 720) == (480, 640)  # a phone held upright
    assert analysed_size((640, 480), (320, 240), 1280 * 720) == (640, 480)
    assert analysed_size((1920, 1080), None, 1280 * 720) == (1280, 720)
    assert analysed_size((641, 479), None, 1280 * 720) == (640, 478)
    assert analysed_size((1, 1), None, 100) == (2, 2)

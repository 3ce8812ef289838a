from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from numpy.typing import NDArray

from mer_live.realtime.ring import FrameRing, RingClosedError, RingReader


def image(value: int, shape: tuple[int, int, int] = (4, 6, 3)) -> NDArray[np.uint8]:
    return np.full(shape, value % 251, np.uint8)


def fill(ring: FrameRing, count: int) -> None:
    for _ in range(count):
        ring.write(image(ring.written), t_ns=ring.written * 1000 + 7)


def drain(reader: RingReader) -> list[int]:
    return [frame.index for frame in iter(lambda: reader.read(10), None)]


@pytest.fixture
def live() -> Iterator[FrameRing]:
    ring = FrameRing(4, 4, 6, block=False)
    yield ring
    ring.close()


def test_frames_come_out_as_they_went_in(live: FrameRing) -> None:
    reader = live.reader()
    assert live.newest_ns is None
    fill(live, 3)
    frames = [reader.read(0) for _ in range(3)]
    assert [f.index for f in frames if f] == [0, 1, 2]
    assert [f.t_ns for f in frames if f] == [7, 1007, 2007]
    assert all(f is not None and (f.image == f.index).all() for f in frames)
    assert live.newest_ns == 2007
    assert (reader.frames_read, reader.dropped) == (3, 0)


def test_a_view_is_read_only_and_lies_in_the_ring(live: FrameRing) -> None:
    reader = live.reader()
    slot = live.slot()
    slot[:] = 9
    assert live.slot() is slot
    assert live.commit(5, index=41) == 41
    frame = reader.read(0)
    assert frame is not None
    assert frame.index == 41
    assert np.shares_memory(frame.image, slot)
    with pytest.raises(ValueError, match="read-only"):
        frame.image[0, 0, 0] = 1


def test_live_overwrites_the_oldest_and_counts_it_for_each_reader(live: FrameRing) -> None:
    slow, quick = live.reader(), live.reader()
    for _ in range(10):
        fill(live, 1)
        assert quick.read(0) is not None
    assert slow.dropped == 6  # 10 written, 4 places; the tenth took the sixth's
    frame = slow.read(0)
    assert frame is not None
    assert frame.index == 6
    live.slot()  # the writer begins the next frame in the place of this one
    assert not slow.valid(frame)
    assert slow.dropped == 6
    live.close()
    assert drain(slow) == [7, 8, 9]
    assert (quick.dropped, quick.frames_read, slow.frames_read) == (0, 10, 4)


def test_valid_ends_when_the_writer_takes_the_slot_not_when_it_commits(live: FrameRing) -> None:
    reader = live.reader()
    fill(live, 1)
    frame = reader.read(0)
    assert frame is not None
    fill(live, 3)
    assert reader.valid(frame)
    live.slot()
    assert not reader.valid(frame)


def test_latest_skips_to_the_newest(live: FrameRing) -> None:
    reader = live.reader()
    assert reader.latest() is None
    fill(live, 9)
    frame = reader.latest()
    assert frame is not None
    assert frame.index == 8
    assert (reader.dropped, reader.skipped, reader.frames_read) == (5, 3, 1)
    assert reader.latest() is None


def test_close_lets_readers_drain_then_ends_them(live: FrameRing) -> None:
    reader = live.reader()
    fill(live, 2)
    live.close()
    live.close()
    assert live.closed
    assert drain(reader) == [0, 1]
    with pytest.raises(RingClosedError):
        live.slot()
    with pytest.raises(RingClosedError):
        live.commit(10**9)


def test_a_reader_starts_at_the_next_frame_and_ends_when_closed(live: FrameRing) -> None:
    fill(live, 2)
    with live.reader() as reader:
        fill(live, 2)
        frame = reader.read(0)
        assert frame is not None
        assert frame.index == 2
    assert reader.read(0) is None
    assert reader.latest() is None
    reader.close()


def test_reading_an_idle_ring_times_out(live: FrameRing) -> None:
    with pytest.raises(TimeoutError):
        live.reader().read(timeout_s=0.001)


@pytest.mark.parametrize("capacity", [2, 3, 7])
def test_a_blocking_ring_loses_nothing(capacity: int) -> None:
    ring = FrameRing(capacity, 4, 6, block=True)
    readers = [ring.reader() for _ in range(3)]
    seen: list[list[int]] = [[] for _ in readers]
    broken: list[int] = []

    def consume(reader: RingReader, out: list[int]) -> None:
        while (frame := reader.read(10)) is not None:
            out.append(frame.index)
            if not (frame.image == frame.index % 251).all() or not reader.valid(frame):
                broken.append(frame.index)

    threads = [threading.Thread(target=consume, args=pair) for pair in zip(readers, seen, strict=True)]
    for thread in threads:
        thread.start()
    fill(ring, 400)
    ring.close()
    for thread in threads:
        thread.join(10)
    assert seen == [list(range(400))] * 3
    assert not broken
    assert all(r.dropped == 0 for r in readers)


def blocked_writer(ring: FrameRing) -> tuple[threading.Thread, list[str]]:
    """A thread that writes one frame too many for a ring that nobody reads."""
    outcome: list[str] = []

    def work() -> None:
        try:
            fill(ring, ring.capacity + 1)
            outcome.append("wrote")
        except RingClosedError:
            outcome.append("closed")

    thread = threading.Thread(target=work)
    thread.start()
    return thread, outcome


def test_close_wakes_a_waiting_writer() -> None:
    ring = FrameRing(2, 4, 6, block=True)
    reader = ring.reader()
    thread, outcome = blocked_writer(ring)
    for index in range(2):
        frame = reader.read(10)
        assert frame is not None
        assert frame.index == index
        if index == 0:
            assert reader.valid(frame)
    ring.close()
    thread.join(10)
    assert outcome in (["closed"], ["wrote"])  # the second read may already have made room


def test_closing_the_slowest_reader_frees_the_writer() -> None:
    ring = FrameRing(2, 4, 6, block=True)
    reader = ring.reader()
    thread, outcome = blocked_writer(ring)
    reader.close()
    thread.join(10)
    assert outcome == ["wrote"]


def test_close_wakes_a_writer_that_nobody_will_free() -> None:
    ring = FrameRing(2, 4, 6, block=True)
    ring.reader()
    thread, outcome = blocked_writer(ring)
    ring.close()
    thread.join(10)
    assert outcome == ["closed"]


def test_a_passive_reader_holds_nobody_back() -> None:
    ring = FrameRing(2, 4, 6, block=True)
    watcher = ring.reader(passive=True)
    fill(ring, 5)
    ring.close()
    assert watcher.dropped == 3
    assert drain(watcher) == [3, 4]
    watcher.close()


def addresses(ring: FrameRing, reader: RingReader, count: int) -> set[int]:
    """Where frames lie that are read as soon as they are written."""
    seen = set()
    for _ in range(count):
        fill(ring, 1)
        frame = reader.read(0)
        assert frame is not None
        assert (frame.image == (ring.written - 1) % 251).all()
        seen.add(frame.image.ctypes.data)
    return seen


@pytest.mark.parametrize("block", [False, True])
def test_where_readers_keep_up_the_same_few_slots_are_filled_again(block: bool) -> None:
    ring = FrameRing(40, 4, 6, block=block)
    reader, viewer = ring.reader(), ring.reader(passive=True)
    viewer.close()
    usual = addresses(ring, reader, 60)
    assert len(usual) == 9  # eight that stay whole for whoever looks twice, and the one that is filled
    fill(ring, 30)  # a halt: all of it is there afterwards
    assert [frame.index for _ in range(30) if (frame := reader.read(0))] == list(range(60, 90))
    assert len(addresses(ring, reader, 60)) == 9
    ring.close()


def test_frames_that_only_a_viewer_has_yet_to_see_stay_while_there_is_room() -> None:
    ring = FrameRing(20, 4, 6, block=True)
    reader, viewer = ring.reader(), ring.reader(passive=True)
    addresses(ring, reader, 19)
    first = viewer.read(0)
    assert first is not None
    assert first.index == 0
    assert viewer.valid(first)
    addresses(ring, reader, 10)
    assert not viewer.valid(first)
    assert viewer.dropped == 8  # 29 written, 20 places
    ring.close()


def test_a_reader_that_cannot_keep_up_sheds_load_evenly_and_lags_by_little() -> None:
    ring = FrameRing(40, 4, 6, block=False)
    patient, brisk = ring.reader(), ring.reader(behind_s=6e-6)  # six frames of `fill`
    lags, steps, last = [], [], -1
    for _ in range(100):
        fill(ring, 3)
        waited, frame = patient.read(0), brisk.read(0)
        assert waited is not None
        assert frame is not None
        lags.append(ring.written - 1 - frame.index)
        steps.append(frame.index - last)
        last = frame.index
    assert ring.written - 1 - waited.index >= 38  # what the ring holds
    assert max(lags) < 20  # three times six
    assert set(steps[30:]) <= {2, 3, 4}
    assert brisk.dropped + brisk.frames_read + lags[-1] == ring.written
    ring.close()


def test_a_short_halt_loses_nothing() -> None:
    """Eighteen frames wait; the reader takes five for each that comes, and sheds none."""
    ring = FrameRing(40, 4, 6, block=False)
    reader = ring.reader(behind_s=6e-6)
    fill(ring, 18)
    read = []
    for _ in range(4):
        read += [frame.index for _ in range(5) if (frame := reader.read(0)) is not None]
        fill(ring, 1)
    ring.close()
    assert read + drain(reader) == list(range(22))


def test_closing_a_reader_wakes_its_read(live: FrameRing) -> None:
    reader = live.reader()
    out: list[object] = []
    thread = threading.Thread(target=lambda: out.append(reader.read(10)))
    thread.start()
    reader.close()
    thread.join(10)
    assert out == [None]


def test_misuse_is_refused(live: FrameRing) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        FrameRing(1, 4, 6, block=False)
    with pytest.raises(ValueError, match="cannot be"):
        FrameRing(2, 0, 6, block=False)
    with pytest.raises(RuntimeError, match="slot"):
        live.commit(1)
    with pytest.raises(ValueError, match="shape"):
        live.write(image(1, (4, 5, 3)), 1)
    live.write(image(1), t_ns=5, index=3)
    with pytest.raises(ValueError, match="after"):
        live.write(image(1), t_ns=5, index=4)
    with pytest.raises(ValueError, match="after"):
        live.write(image(1), t_ns=6, index=3)
    assert live.write(image(1), t_ns=6) == 4


class LiveRing(RuleBasedStateMachine):
    """A live ring against a plain list of everything that was ever written."""

    def __init__(self) -> None:
        super().__init__()
        self.ring = FrameRing(3, 2, 2, block=False)
        self.start = [0, 0]
        self.readers = [self.ring.reader(), self.ring.reader()]
        self.got: list[list[int]] = [[], []]
        self.indices: list[int] = []
        self.filling = False

    @rule(gap=st.integers(1, 3))
    def write(self, gap: int) -> None:
        index = (self.indices[-1] if self.indices else -1) + gap
        slot = self.ring.slot()
        slot[:] = index % 251
        self.ring.commit(index * 10, index)
        self.indices.append(index)
        self.filling = False

    @rule()
    def begin(self) -> None:
        self.ring.slot()[:] = 255
        self.filling = True

    def first_whole(self) -> int:
        return max(0, len(self.indices) - 3 + self.filling)

    @rule(who=st.integers(0, 1))
    def read(self, who: int) -> None:
        reader = self.readers[who]
        after = self.got[who][-1] + 1 if self.got[who] else self.start[who]
        expected = max(after, self.first_whole())
        if expected >= len(self.indices):
            with pytest.raises(TimeoutError):
                reader.read(0)
            return
        frame = reader.read(0)
        assert frame is not None
        assert frame.index == self.indices[expected]
        assert frame.t_ns == frame.index * 10
        assert (frame.image == frame.index % 251).all()
        assert reader.valid(frame)
        self.got[who].append(expected)

    @rule(who=st.integers(0, 1))
    def latest(self, who: int) -> None:
        after = self.got[who][-1] + 1 if self.got[who] else self.start[who]
        frame = self.readers[who].latest()
        if after >= len(self.indices):
            assert frame is None
            return
        assert frame is not None
        assert frame.index == self.indices[-1]
        self.got[who].append(len(self.indices) - 1)

    @precondition(lambda self: self.start[1] == 0)
    @rule()
    def reopen(self) -> None:
        self.readers[1].close()
        self.readers[1] = self.ring.reader()
        self.start[1] = len(self.indices)
        self.got[1] = []

    @invariant()
    def everything_is_accounted_for(self) -> None:
        for reader, got, start in zip(self.readers, self.got, self.start, strict=True):
            assert got == sorted(set(got))
            assert reader.frames_read == len(got)
            after = max(got[-1] + 1 if got else start, self.first_whole())
            unread = max(0, len(self.indices) - after)
            assert len(self.indices) - start == (
                reader.frames_read + reader.dropped + reader.skipped + unread
            )


TestLiveRing = LiveRing.TestCase
TestLiveRing.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

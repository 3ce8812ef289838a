"""Preallocated frame ring: one writer, many readers, each with its own cursor; every drop is counted."""

from __future__ import annotations

import threading
import time

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.slots import Slots
from mer_live.realtime.types import Frame

_LEAST = 8
"""Frames that stay whole though every reader is through with them. Where readers keep up, the next frame goes into the
place of the one before these, so a ring works in a few megabytes that the processor's caches hold."""


class RingClosedError(RuntimeError):
    """The ring takes no more frames: it was closed, or is being closed while the writer waits."""


class FrameRing:
    """The last frames of a source, in memory that is allocated once.

    The writer fills ``slot()`` and publishes it with ``commit()``; ``write()`` does both. The slot being
    filled is not readable, so ``capacity - 1`` frames are. Memory is used up only by frames that somebody has yet to
    read, and by the newest few.

    ``block=False`` (live): the writer never waits and overwrites the oldest frame; a reader that was
    too slow for it finds the frame gone and counts it, and ``RingReader.valid`` tells whether a frame
    stayed whole while it was worked on. ``block=True`` (files): the writer waits for the slowest open
    reader; a reader holds its newest frame until it asks for the next one, so nothing is ever lost.
    """

    def __init__(self, capacity: int, height: int, width: int, *, block: bool) -> None:
        """Allocate ``capacity`` frames of (height, width, 3) uint8; capacity is at least 2."""
        if capacity < 2:
            raise ValueError(f"a ring needs room for at least 2 frames, not {capacity}")
        if height < 1 or width < 1:
            raise ValueError(f"a frame cannot be {width}x{height}")
        self.capacity = capacity
        self.shape = (height, width, 3)
        self.block = block
        self._slots = Slots(capacity, self.shape, touched=2 * _LEAST)
        self._t_ns = [0] * capacity
        self._stretch = [0] * capacity
        self._index = [-1] * capacity
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        # All of frame number n (0, 1, ...) is noted at n % capacity; [_oldest, _written) are whole.
        self._slot = [0] * capacity
        self._written = self._oldest = 0
        self._filling = False
        self._closed = False
        self._readers: list[RingReader] = []
        self._viewers: list[RingReader] = []

    @property
    def written(self) -> int:
        """Frames published so far."""
        return self._written

    @property
    def memory_bytes(self) -> int:
        """What it takes up so far: more only after a halt in which more frames waited than ever before."""
        return self._slots.touched * self._slots.bytes

    @property
    def closed(self) -> bool:
        """Whether the stream has ended; readers may still drain it."""
        return self._closed

    @property
    def newest_ns(self) -> int | None:
        """Time of the newest frame, or None before the first one."""
        with self._lock:
            return self._t_ns[(self._written - 1) % self.capacity] if self._written else None

    def slot(self) -> NDArray[np.uint8]:
        """Return the writable (H, W, 3) memory of the next frame; publish it with ``commit``.

        Where no slot is free it gives up the oldest frame, with ``block=True`` once it was read. Asking
        again without a commit returns the same slot. Raises RingClosedError once the ring is closed.
        """
        with self._lock:
            while not self._filling or self._closed:
                if self._closed:
                    raise RingClosedError("the ring is closed")
                while self._written - self._oldest > _LEAST and self._seen(*self._readers, *self._viewers):
                    self._give_up()
                if not self._slots.free and (not self.block or self._seen(*self._readers)):
                    self._give_up()
                if self._slots.free:
                    self._slot[self._written % self.capacity] = self._slots.free.pop()
                    self._filling = True
                else:
                    self._room.wait()
            return self._slots.image(self._slot[self._written % self.capacity], self.shape)

    def _seen(self, *readers: RingReader) -> bool:
        """Whether these are through with the oldest frame (lock held)."""
        return all(reader._keeps > self._oldest for reader in readers)

    def _give_up(self) -> None:
        """The oldest frame's slot is free (lock held)."""
        self._slots.free.append(self._slot[self._oldest % self.capacity])
        self._oldest += 1

    def lay(self, height: int, width: int) -> None:
        """Frames from the next one on are of another size; those that are held stay as they are.

        Raises ValueError for pictures that take more memory than those that the ring was made for.
        """
        if height < 1 or width < 1 or height * width * 3 > self._slots.bytes:
            raise ValueError(f"{width}x{height} does not fit into a ring made for {self._slots.bytes} bytes")
        self.shape = (height, width, 3)

    def commit(self, t_ns: int, index: int | None = None, stretch: int = 0) -> int:
        """Publish the slot as a frame captured at ``t_ns``; returns its index.

        ``index`` defaults to one more than the last; ``stretch`` is as in Frame. Times and indices must strictly
        increase (ValueError); RuntimeError when no slot was taken, RingClosedError when the ring was closed.
        """
        with self._lock:
            if self._closed:
                raise RingClosedError("the ring is closed")
            if not self._filling:
                raise RuntimeError("commit() publishes the memory that slot() returned: call slot() first")
            last = (self._written - 1) % self.capacity
            if index is None:
                index = self._index[last] + 1 if self._written else 0
            if self._written and (index <= self._index[last] or t_ns <= self._t_ns[last]):
                before = f"{self._index[last]} at {self._t_ns[last]} ns"
                raise ValueError(f"frame {index} at {t_ns} ns must come after frame {before}")
            at = self._written % self.capacity
            self._t_ns[at] = t_ns
            self._index[at] = index
            self._stretch[at] = stretch
            self._filling = False
            self._written += 1
            self._news.notify_all()
            return index

    def write(self, image: NDArray[np.uint8], t_ns: int, index: int | None = None) -> int:
        """Copy ``image`` (H, W, 3) uint8 into the ring and publish it; returns its index."""
        if image.shape != self.shape or image.dtype != np.uint8:
            raise ValueError(f"the ring's shape is {self.shape} uint8, not {image.shape} {image.dtype}")
        np.copyto(self.slot(), image)
        return self.commit(t_ns, index)

    def close(self) -> None:
        """End the stream: wakes everybody; readers drain what is left, then get None. Idempotent."""
        with self._lock:
            self._closed = True
            self._news.notify_all()
            self._room.notify_all()

    def reader(self, *, passive: bool = False, behind_s: float | None = None) -> RingReader:
        """Open a cursor that starts at the next frame to be published.

        A ``passive`` reader never holds the writer back, also with ``block=True``: it may drop frames. For
        ``behind_s`` see RingReader.
        """
        with self._lock:
            reader = RingReader(self, self._written, passive, behind_s)
            (self._viewers if passive else self._readers).append(reader)
            return reader


class RingReader:
    """One consumer's cursor; used by one thread. Published = read + dropped + skipped + unread.

    With ``behind_s`` a reader that has lagged by more for as long sheds load evenly: at a lag of k times that it
    drops k frames for each it reads. A full ring would keep every frame waiting for as long as it holds.
    """

    def __init__(self, ring: FrameRing, start: int, passive: bool, behind_s: float | None = None) -> None:
        self._ring = ring
        self._passive = passive
        self._cursor = start
        self._behind_ns = None if behind_s is None else round(behind_s * 1e9)
        self._late_ns: int | None = None
        self._keeps = start  # the ring must not give up this frame or a later one (block=True)
        self._closed = False
        self._dropped = 0
        self.frames_read = 0
        """Frames handed out."""
        self.skipped = 0
        """Frames that ``latest`` passed over although they were still there."""

    @property
    def dropped(self) -> int:
        """Frames that were overwritten before this reader came to them, also those it has yet to notice."""
        with self._ring._lock:
            return self._dropped + (0 if self._closed else max(0, self._ring._oldest - self._cursor))

    def read(self, timeout_s: float | None = None) -> Frame | None:
        """Return the next frame in order, waiting for it; None when the ring is closed and drained.

        Raises TimeoutError after ``timeout_s`` seconds without a frame.
        """
        ring = self._ring
        with ring._lock:
            self._release()
            deadline = None if timeout_s is None else time.monotonic() + timeout_s
            while self._closed or self._cursor >= ring._written:
                if self._closed or ring._closed:
                    return None
                remaining = None if deadline is None else deadline - time.monotonic()
                if remaining is not None and remaining <= 0:
                    raise TimeoutError(f"no frame within {timeout_s} s")
                ring._news.wait(remaining)
            if self._behind_ns is not None:
                self._shed(self._behind_ns)
            return self._take()

    def latest(self) -> Frame | None:
        """Return the newest frame not yet read, passing over older ones; None when there is none."""
        ring = self._ring
        with ring._lock:
            self._release()
            if self._closed or self._cursor >= ring._written:
                return None
            self._count_drops()
            self.skipped += ring._written - 1 - self._cursor
            self._cursor = ring._written - 1
            return self._take()

    def valid(self, frame: Frame) -> bool:
        """Whether the frame's image is still whole, that is, its slot has not been given to the writer.

        Ask after the work: True means that all of it saw this frame.
        """
        ring = self._ring
        with ring._lock:
            # Indices strictly increase, so the oldest whole frame's index separates whole from gone.
            return ring._oldest < ring._written and frame.index >= ring._index[ring._oldest % ring.capacity]

    def close(self) -> None:
        """Stop reading: the writer waits for this reader no more; a waiting ``read`` returns None."""
        ring = self._ring
        with ring._lock:
            if self._closed:
                return
            self._count_drops()
            self._closed = True
            (ring._viewers if self._passive else ring._readers).remove(self)
            ring._room.notify_all()
            ring._news.notify_all()

    def __enter__(self) -> RingReader:
        """Return the reader itself; leaving the block closes it."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the reader."""
        self.close()

    def _release(self) -> None:
        """Let go of the frame handed out last (lock held)."""
        if self._keeps < self._cursor:
            self._keeps = self._cursor
            if self._ring.block:
                self._ring._room.notify_all()

    def _count_drops(self) -> None:
        """Move the cursor past frames that were overwritten and count them (lock held)."""
        lost = self._ring._oldest - self._cursor
        if lost > 0:
            self._dropped += lost
            self._cursor += lost

    def _shed(self, behind_ns: int) -> None:
        """Pass over as many frames as the lag asks for, the newest never (lock held)."""
        self._count_drops()
        ring, newest = self._ring, self._ring._written - 1
        newest_ns = ring._t_ns[newest % ring.capacity]
        lag_ns = newest_ns - ring._t_ns[self._cursor % ring.capacity]
        if lag_ns < behind_ns:
            self._late_ns = None
            return
        self._late_ns = self._late_ns or newest_ns
        if newest_ns - self._late_ns < behind_ns:
            return  # frames that came at once are soon caught up with
        shed = min(lag_ns // behind_ns, newest - self._cursor)
        self._cursor += shed
        self._dropped += shed

    def _take(self) -> Frame:
        """Hand out the frame at the cursor, which is published and whole (lock held)."""
        self._count_drops()
        ring = self._ring
        at = self._cursor % ring.capacity
        self._keeps = self._cursor
        self._cursor += 1
        self.frames_read += 1
        return Frame(ring._index[at], ring._t_ns[at], ring._slots.views[ring._slot[at]], ring._stretch[at])

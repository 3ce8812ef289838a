"""The last seconds of face crops and ADM rows, from which a spot's clip is copied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.specs import ROW
from mer_live.realtime.types import FaceCrop, Motion, Spot

LooksAt: TypeAlias = Callable[[int, int | None, int], Iterable[int]]
"""Positions of apex, offset (None while unknown) and newest crop in a clip that begins at its onset -> of the crops
that are looked at."""


def _now(do: Callable[[], None]) -> None:
    do()


class CropHistory:
    """Ring of the newest crops; one thread writes and copies clips out of it.

    ``slot()`` hands out the buffer that the next crop is cut into, so a crop is written once;
    ``commit()`` makes it part of the history. The ring begins again as soon as its oldest crop is older than
    ``seconds``, so it holds that much at any frame rate; memory that was never written costs nothing.

    Args:
        seconds: how far back crops are kept.
        most_bytes: of crops; at rates at which it does not reach for ``seconds``, less is kept.
        size: S, side of the crops, px.
    """

    def __init__(self, seconds: float = 3.0, most_bytes: int = 96 << 20, size: int = 224) -> None:
        capacity = max(2, most_bytes // (size * size))
        self._keep_ns = round(seconds * 1e9)
        self._gray = np.empty((capacity, size, size), np.uint8)
        self._adm: list[NDArray[np.float32] | None] = [None] * capacity
        self._has_adm = False
        self._t_ns = np.zeros(capacity, np.int64)
        self._index = np.full(capacity, -1, np.int64)
        self._anchor = np.full(capacity, -1, np.int64)
        self._warp = np.zeros((capacity, 2, 3), np.float32)
        self._next = 0
        self._length = 1
        """Slots in use as the ring; it grows at its end while the oldest crop is still wanted."""

    def slot(self) -> NDArray[np.uint8]:
        """(S, S) buffer for the next crop; it stays the same until ``commit``."""
        slot: NDArray[np.uint8] = self._gray[self._next]
        return slot

    def commit(self, crop: FaceCrop, motion: Motion) -> None:
        """Keep ``crop``, which was cut into ``slot()``, and its motion."""
        at = self._next
        self._has_adm |= motion.adm is not None
        self._adm[at] = motion.adm
        self._t_ns[at] = crop.t_ns
        self._index[at] = crop.index
        self._anchor[at] = crop.anchor
        self._warp[at] = crop.warp
        at += 1
        if at == self._length:
            if self._length < len(self._index) and crop.t_ns - self._t_ns[0] < self._keep_ns:
                self._length += 1
            else:
                at = 0
        self._next = at

    def clip(
        self,
        spot: Spot,
        looks_at: LooksAt | None = None,
        later: Callable[[Callable[[], None]], object] = _now,
    ) -> Clip | None:
        """Copy of the crops from the spot's onset to its newest frame; None if they are no longer held.

        The ADM rows are copied by what is given to ``later``, which calls it when they have their numbers.

        With ``looks_at`` only the crops that it names are copied: a second of all would cost the worker
        milliseconds, and twelve are looked at. What the other places hold is not defined.

        Crops of a later anchoring are moved into the onset's crop, whose box the papers use for all.
        """
        onset, newest = spot.span.onset.frame, spot.decided.frame
        order = np.arange(self._next, self._next + self._length) % self._length
        index = self._index[order]
        first, last = np.searchsorted(index, (onset, newest))
        if last >= len(index) or index[first] != onset or index[last] != newest:
            return None
        held = order[first : last + 1]

        def position(frame: int) -> int:
            return int(np.searchsorted(index[first : last + 1], frame))

        apex = position(spot.span.apex.frame)
        offset = None if spot.span.offset is None else position(spot.span.offset.frame)
        begin, count = held[0], len(held)
        gray = np.empty((count, *self._gray.shape[1:]), np.uint8)
        for k in range(count) if looks_at is None else looks_at(apex, offset, count - 1):
            at = held[k]
            same = self._anchor[at] == self._anchor[begin]
            gray[k] = self._gray[at] if same else _rewarp(self._gray[at], self._warp[at], self._warp[begin])
        adm = None
        if self._has_adm:
            adm = np.zeros((count, ROW), np.float32)
            later(partial(_copy_rows, [self._adm[at] for at in held[1:]], adm[1:]))
        return Clip(
            gray=gray,
            t_ns=self._t_ns[held],
            onset=0,
            apex=apex,
            offset=offset,
            adm=adm,
        )


def _copy_rows(rows: Sequence[NDArray[np.float32] | None], out: NDArray[np.float32]) -> None:
    for made, row in zip(rows, out, strict=True):
        if made is not None:
            row[:] = made


def _rewarp(
    gray: NDArray[np.uint8], made_by: NDArray[np.float32], wanted: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """The crop that ``wanted`` (2, 3) would have cut, from the one that ``made_by`` (2, 3) cut."""
    change = np.vstack([wanted, [0, 0, 1]]) @ np.linalg.inv(np.vstack([made_by, [0, 0, 1]]))
    moved = cv2.warpAffine(
        gray, change[:2], gray.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.uint8)

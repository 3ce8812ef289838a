"""The last seconds of face crops and ADM rows, preallocated, from which a spot's clip is copied."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.clip import Clip
from mer_live.realtime.types import FaceCrop, Motion, Spot


class CropHistory:
    """Ring of the newest ``capacity`` crops; one thread writes and copies clips out of it.

    ``slot()`` hands out the buffer that the next crop is cut into, so a crop is written once;
    ``commit()`` makes it part of the history.
    """

    def __init__(self, capacity: int, size: int = 224) -> None:
        self._gray = np.zeros((capacity, size, size), np.uint8)
        self._adm = np.zeros((capacity, 128), np.float32)
        self._t_ns = np.zeros(capacity, np.int64)
        self._index = np.full(capacity, -1, np.int64)
        self._anchor = np.full(capacity, -1, np.int64)
        self._warp = np.zeros((capacity, 2, 3), np.float32)
        self._next = 0

    def slot(self) -> NDArray[np.uint8]:
        """(S, S) buffer for the next crop; it stays the same until ``commit``."""
        slot: NDArray[np.uint8] = self._gray[self._next]
        return slot

    def commit(self, crop: FaceCrop, motion: Motion) -> None:
        """Keep ``crop``, which was cut into ``slot()``, and its motion."""
        at = self._next
        self._adm[at] = motion.adm
        self._t_ns[at] = crop.t_ns
        self._index[at] = crop.index
        self._anchor[at] = crop.anchor
        self._warp[at] = crop.warp
        self._next = (at + 1) % len(self._index)

    def clip(self, spot: Spot) -> Clip | None:
        """Copy of the crops from the spot's onset to its newest frame; None if they are no longer held.

        Crops of a later anchoring are moved into the onset's crop, whose box the papers use for all.
        """
        order = np.arange(self._next, self._next + len(self._index)) % len(self._index)
        index = self._index[order]
        first, last = np.searchsorted(index, (spot.onset, spot.decided))
        if last >= len(index) or index[first] != spot.onset or index[last] != spot.decided:
            return None
        held = order[first : last + 1]
        gray = self._gray[held]
        for k in np.flatnonzero(self._anchor[held] != self._anchor[held[0]]):
            gray[k] = _rewarp(gray[k], self._warp[held[k]], self._warp[held[0]])

        def position(frame: int) -> int:
            return int(np.searchsorted(index[first : last + 1], frame))

        adm = self._adm[held]
        adm[0] = 0.0
        return Clip(
            gray=gray,
            t_ns=self._t_ns[held],
            onset=0,
            apex=position(spot.apex),
            offset=None if spot.offset is None else position(spot.offset),
            adm=adm,
        )


def _rewarp(
    gray: NDArray[np.uint8], made_by: NDArray[np.float32], wanted: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """The crop that ``wanted`` (2, 3) would have cut, from the one that ``made_by`` (2, 3) cut."""
    change = np.vstack([wanted, [0, 0, 1]]) @ np.linalg.inv(np.vstack([made_by, [0, 0, 1]]))
    moved = cv2.warpAffine(
        gray, change[:2], gray.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.uint8)

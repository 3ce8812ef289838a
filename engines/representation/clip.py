"""The unit that every representation is made from, live and offline alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Clip:
    """Face crops around one (possibly unfinished) micro-expression; all crops share one warp.

    Positions (``onset``, ``apex``, ``offset``) index the first axis of ``gray``.
    """

    gray: NDArray[np.uint8]
    """(T, S, S) crops, S = 224."""
    t_ns: NDArray[np.int64]
    """(T,) capture times, nanoseconds."""
    onset: int
    apex: int
    offset: int | None
    """None while provisional: the newest crop, T - 1, is then all there is."""
    adm: NDArray[np.float32] | None = None
    """(T, 128) ADM rows if already known; row k is of the flow gray[k-1] -> gray[k], row 0 is zero."""

    def __post_init__(self) -> None:
        t = len(self.gray)
        if self.gray.ndim != 3 or self.gray.dtype != np.uint8:
            raise ValueError(f"gray must be (T, S, S) uint8, got {self.gray.shape} {self.gray.dtype}")
        if self.t_ns.shape != (t,):
            raise ValueError(f"t_ns must be ({t},), got {self.t_ns.shape}")
        last = t - 1 if self.offset is None else self.offset
        if not 0 <= self.onset <= self.apex <= last < t:
            raise ValueError(
                f"need 0 <= onset <= apex <= offset < {t}, got {self.onset}, {self.apex}, {self.offset}"
            )
        if self.adm is not None and self.adm.shape != (t, 128):
            raise ValueError(f"adm must be ({t}, 128), got {self.adm.shape}")

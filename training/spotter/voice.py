"""When a filmed person is heard to speak: the loudness of a clip's sound, which teaches what speech looks like."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_HOP_S = 0.02
_CLOSE = 13
"""Hops: silences of up to a quarter of a second either way lie within speech."""


def loudness(path: Path) -> Array | None:
    """(N,) dB of every 20 ms of a clip's sound; None where it has none."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        parts = []
        for frame in container.decode(stream):
            sound = frame.to_ndarray().astype(np.float64)
            parts.append(sound.mean(0) if frame.format.is_planar else sound.reshape(-1))
        hop = int(stream.rate * _HOP_S)
    samples = np.concatenate(parts)
    n = len(samples) // hop
    return np.asarray(10.0 * np.log10(np.square(samples[: n * hop].reshape(n, hop)).mean(1) + 1e-9))


def heard(path: Path, times: Array) -> Array | None:
    """(T,) 0..1 whether somebody is heard at (T,) seconds of a clip; None where it has no sound.

    Loud is what lies above the middle between the tenth and the 98th percentile: a reader's room is quiet.
    """
    db = loudness(path)
    if db is None or len(db) < 2 * _CLOSE:
        return None
    low, high = np.percentile(db, [10, 98])
    loud = (db > 0.5 * (low + high)).astype(np.float64)
    wide = _running(np.maximum, loud, 0.0)
    return np.interp(times, np.arange(len(loud)) * _HOP_S, _running(np.minimum, wide, 1.0))


def _running(pick: np.ufunc, values: Array, outside: float) -> Array:
    padded = np.pad(values, _CLOSE, constant_values=outside)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _CLOSE + 1)
    return np.asarray(pick.reduce(windows, axis=1))

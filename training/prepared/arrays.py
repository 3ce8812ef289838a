"""Arrays of a prepared set: mapped from disk, checked for NaN, resized to what a method wants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.training.prepared.index import PreparedError

_CHUNK = 256


def resize_rows(array: NDArray[Any], shape: tuple[int, ...], source: Path | str = "array") -> NDArray[Any]:
    """Resize (N, H, W[, C]) or stacks (N, T, H, W) to (N, *shape); area interpolation when shrinking, else linear.

    Raises:
        PreparedError: The rows are no images, or have another number of channels or frames.
    """
    have = tuple(array.shape[1:])
    stacks = len(have) == len(shape) == 3 and have[1] == have[2] and shape[1] == shape[2]
    if stacks and have[0] == shape[0] and have[1] != shape[1]:
        frames = resize_rows(array.reshape(-1, *have[1:]), shape[1:], source)
        return frames.reshape(len(array), *shape)
    channels = have[2] if len(have) == 3 else 1
    wanted = shape[2] if len(shape) == 3 else 1
    if len(have) not in (2, 3) or len(shape) not in (2, 3) or channels != wanted:
        raise PreparedError(
            f"{source} holds rows of shape {have}, the method wants {shape}: map another array"
        )
    if have[:2] == shape[:2]:
        return array.reshape(len(array), *shape)
    dtype = array.dtype if array.dtype in (np.uint8, np.float32, np.float64) else np.dtype(np.float32)
    result = np.empty((len(array), *shape), dtype)
    shrinking = shape[0] <= have[0] and shape[1] <= have[1]
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    for row, image in enumerate(array):
        resized = cv2.resize(np.ascontiguousarray(image, dtype), (shape[1], shape[0]), interpolation=method)
        result[row] = resized.reshape(shape)
    return result


def map_array(file: Path) -> NDArray[Any]:
    """Memory-map a ``.npy`` of numbers, read-only; raises PreparedError otherwise."""
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise PreparedError(
            f"{file} is not a readable NumPy array ({error}): write it with numpy.save"
        ) from error
    if array.dtype.kind not in "uif":
        raise PreparedError(f"{file} holds {array.dtype}, not numbers: write uint8 or float32")
    return array


def reject_nan(array: NDArray[Any], file: Path, keys: NDArray[np.str_] | None) -> None:
    """Raise PreparedError when a row holds NaN or infinity; ``keys`` (N,) name the row."""
    if array.dtype.kind != "f":
        return
    for start in range(0, len(array), _CHUNK):
        chunk = array[start : start + _CHUNK]
        bad = ~np.isfinite(chunk).all(axis=tuple(range(1, chunk.ndim)))
        if bad.any():
            row = start + int(np.flatnonzero(bad)[0])
            name = f" (key {keys[row]})" if keys is not None else ""
            raise PreparedError(f"{file} holds NaN or infinity in row {row}{name}: repair or drop that row")

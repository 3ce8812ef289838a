"""The memory that frames of a ring lie in: allocated once, taken last where it was given up last."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Slots:
    """Places for pictures, of which the free ones are a stack: those in use stay few, and the same.

    Args:
        count: places.
        shape: (H, W, 3) of the largest picture.
        touched: places whose pages are asked for at once; the others' when they are first filled.
    """

    def __init__(self, count: int, shape: tuple[int, int, int], *, touched: int) -> None:
        self.bytes = int(np.prod(shape))
        """Of one place."""
        self._memory = np.empty((count, self.bytes), np.uint8)
        self._memory[:touched].fill(0)
        self.touched = min(touched, count)
        """Places that have memory by now."""
        self._images: list[NDArray[np.uint8]] = [row.reshape(shape) for row in self._memory]
        self.views = [_read_only(image) for image in self._images]
        """(H, W, 3) each, made once: handing out a frame allocates only the Frame."""
        self.free = list(range(count))[::-1]
        """Numbers of the places that may be taken: pop one, append what is given up."""

    def image(self, at: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """The place with that number, laid out for a picture of this shape."""
        self.touched = max(self.touched, at + 1)  # the stack gives out low numbers first
        if self._images[at].shape != shape:
            self._images[at] = self._memory[at, : int(np.prod(shape))].reshape(shape)
            self.views[at] = _read_only(self._images[at])
        return self._images[at]


def _read_only(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    view = image.view()
    view.flags.writeable = False
    return view

"""Frames from any library that gives pictures with times; here PyAV: python examples/own_frames.py VIDEO"""

import sys
from collections.abc import Iterator

import av
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime import watch


def pictures(path: str) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """(time in ns, (H, W, 3) uint8 BGR) of every frame."""
    with av.open(path) as container:
        for frame in container.decode(video=0):
            yield round((frame.time or 0.0) * 1e9), frame.to_ndarray(format="bgr24")


with watch(pictures(sys.argv[1])) as session:
    for event in session:
        print(event.id, event.label, event.span)

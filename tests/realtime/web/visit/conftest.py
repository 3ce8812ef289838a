"""What visitors film."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mer_live.benchmarks.inputs import demo_recording
from mer_live.realtime.face.landmarks import Landmarker


@pytest.fixture(scope="module")
def clip() -> NDArray[np.uint8]:
    """The beginning of the demo clip, its first event included, as a 30 fps camera would have seen it."""
    return demo_recording(2.6).at_rate(30).frames


@pytest.fixture(scope="module")
def grey() -> NDArray[np.uint8]:
    return np.full((1, 48, 64, 3), 128, np.uint8)


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    Landmarker().close()  # as the server does at its start

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.video_clips import HEIGHT, WIDTH, frames

from mer_live.realtime.ring import FrameRing
from mer_live.realtime.sources.base import place
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.memory import MemorySource


def test_a_failure_nobody_foresaw_is_kept(tmp_path: Path) -> None:
    class Broken(MemorySource):
        def fill(self, slot: object) -> int | None:
            raise ZeroDivisionError

    source = Broken(frames(1), fps=10)
    ring = FrameRing(2, HEIGHT, WIDTH, block=True)
    source.start(ring)
    assert source.join(20)
    assert isinstance(source.error, ZeroDivisionError)
    assert ring.closed


def test_a_source_starts_once_and_into_a_ring_of_its_size() -> None:
    source = MemorySource(frames(2), fps=10)
    with pytest.raises(ValueError, match="the ring holds"):
        source.start(FrameRing(2, 4, 4, block=True))
    source.start(FrameRing(4, HEIGHT, WIDTH, block=True))
    with pytest.raises(RuntimeError, match="once"):
        source.start(FrameRing(4, HEIGHT, WIDTH, block=True))
    assert source.join(20)


@pytest.mark.parametrize(
    "changes", [{"fps": 0.0}, {"size": (0, 4)}, {"fourcc": "MJ"}, {"pace": "slow"}, {"duration_s": 0.0}]
)
def test_settings_are_checked(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not"):
        CameraConfig(**changes)  # type: ignore[arg-type]


def test_place_keeps_the_aspect_and_the_range() -> None:
    slot = np.full((96, 128, 3), 7, np.uint8)
    place(np.full((96, 64, 3), 200, np.uint8), slot)
    assert (slot[:, 32:96] == 200).all()
    assert (slot[:, :32] == 0).all()
    assert (slot[:, 96:] == 0).all()
    place(np.full((96, 128), 51_400, np.uint16), slot)
    assert np.abs(slot.astype(int) - 200).max() <= 1
    place(np.full((48, 64, 4), 90, np.uint8), slot)
    assert (slot == 90).all()

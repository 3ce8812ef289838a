from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.video_clips import HEIGHT, WIDTH, frames, number_of, numbered

from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.memory import MemorySource
from mer_live.realtime.sources.open import open_source


def drain(source: FrameSource, most: int = 1000) -> tuple[list[int], list[int]]:
    slot = np.empty((source.size[1], source.size[0], 3), np.uint8)
    numbers: list[int] = []
    times: list[int] = []
    while len(times) < most and (t_ns := source.fill(slot)) is not None:
        numbers.append(number_of(slot))
        times.append(t_ns)
    return numbers, times


def test_frames_in_memory_come_out_once() -> None:
    source = MemorySource(np.stack(frames(4)), fps=400)
    assert source.size == (WIDTH, HEIGHT)
    assert source.nominal_fps == 400
    assert drain(source) == ([0, 1, 2, 3], [0, 2_500_000, 5_000_000, 7_500_000])


def test_repeating_goes_on_at_the_same_rate() -> None:
    numbers, times = drain(MemorySource(frames(3), fps=400, repeat="repeat"), 8)
    assert numbers == [0, 1, 2, 0, 1, 2, 0, 1]
    assert times == [i * 2_500_000 for i in range(8)]


def test_bouncing_has_no_jump_at_the_seam_and_mirrors_the_times() -> None:
    numbers, times = drain(MemorySource(frames(3), t_ns=[10, 11, 15], repeat="bounce"), 9)
    assert numbers == [0, 1, 2, 2, 1, 0, 0, 1, 2]
    assert np.diff(times).tolist() == [1, 4, 2, 4, 1, 2, 1, 4]  # median gap of 1 and 4, rounded down


def test_what_memory_cannot_play_is_refused() -> None:
    two = frames(2)
    for message, call in {
        "at least one": lambda: MemorySource([], fps=1),
        "either": lambda: MemorySource(two),
        "one size": lambda: MemorySource([two[0], numbered(1, 64, 48)], fps=1),
        "strictly": lambda: MemorySource(two, t_ns=[1, 1]),
        "repeat": lambda: MemorySource(two, fps=1, repeat="often"),  # type: ignore[arg-type]
    }.items():
        with pytest.raises(ValueError, match=message):
            call()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Names as CASME II has them: img1.png ... img12.png, natural order unlike alphabetical order."""
    for number in range(1, 13):
        cv2.imwrite(str(tmp_path / f"img{number}.png"), numbered(number))
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


@pytest.mark.parametrize("pattern", ["", "img*.png", "img%d.png", "img%03d.png"])
def test_images_come_in_natural_order_at_the_rate_told(folder: Path, pattern: str) -> None:
    source = open_source(CameraConfig(source=str(folder / pattern), fps=200.0))
    assert drain(source) == (list(range(1, 13)), [i * 5_000_000 for i in range(12)])
    assert source.size == (WIDTH, HEIGHT)


def test_images_without_a_rate_are_refused(folder: Path) -> None:
    with pytest.raises(SourceError, match="--fps 200"):
        open_source(CameraConfig(source=str(folder)))


def test_an_image_that_cannot_be_read_names_itself(folder: Path) -> None:
    (folder / "img5.png").write_bytes(b"")
    (folder / "img7.png").write_bytes(b"no image")
    source = open_source(CameraConfig(source=str(folder), fps=200.0))
    with pytest.raises(SourceError, match=r"img5\.png"):
        drain(source)


def test_an_image_of_another_size_is_followed_and_told(folder: Path) -> None:
    cv2.imwrite(str(folder / "img3.png"), numbered(3, 96, 128))
    with open_source(CameraConfig(source=str(folder), fps=200.0)) as source:
        seen = [(number_of(frame.image), frame.image.shape[:2], frame.stretch) for frame in source.frames()]
    assert [number for number, _, _ in seen] == list(range(1, 13))
    assert [shape for _, shape, _ in seen[1:4]] == [(96, 128), (128, 96), (96, 128)]
    assert [stretch for _, _, stretch in seen] == [0, 0, 1] + [2] * 9
    assert source.hint == "the picture changes its size 2 times: the analysis starts anew"

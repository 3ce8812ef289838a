from __future__ import annotations

import queue
import threading
from typing import Any

import numpy as np
import pytest
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.jitterbuffer import JitterFrame
from av import VideoFrame

from mer_live.realtime.web.media.gate import Gate, key_frame_size


def header(width: int, height: int) -> bytes:
    return (
        b"\x10\x00\x00\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + bytes(90)
    )


INTER = b"\x11" + bytes(99)


class Kept:
    """A gate, what it asked for and what it refused."""

    def __init__(self, depth: int = 3) -> None:
        self.trouble = threading.Event()
        self.refused: list[tuple[int, int]] = []
        self.gate = Gate(640 * 480, depth, self.trouble, lambda w, h: self.refused.append((w, h)))

    def put(self, *frames: bytes) -> None:
        for data in frames:
            self.gate.put(("VP8", JitterFrame(data, 0)))

    def got(self) -> list[bytes | None]:
        taken: list[Any] = []
        while True:
            try:
                taken.append(self.gate.get_nowait())
            except queue.Empty:
                return [None if task is None else task[1].data for task in taken]


@pytest.mark.parametrize("size", [(640, 480), (64, 48), (2, 2), (1920, 1080)])
def test_the_size_is_the_one_that_an_encoder_wrote(size: tuple[int, int]) -> None:
    width, height = size
    picture = VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="bgr24")
    picture.pts, picture.time_base = 0, 1
    encoder = Vp8Encoder()
    encoder.encode(picture, force_keyframe=True)
    assert encoder.codec is not None
    packets = [bytes(p) for p in encoder.codec.encode(picture.reformat(format="yuv420p"))]
    kinds = [key_frame_size(p) for p in packets]
    assert set(kinds) <= {size, None}
    fresh = Vp8Encoder()
    payloads, _ = fresh.encode(picture, force_keyframe=True)
    first = payloads[0][4:]  # aiortc's payload descriptor with a long picture number
    assert key_frame_size(first) == size


def test_a_header_that_asks_for_scaling_tells_the_size_all_the_same() -> None:
    assert key_frame_size(header(640 | 1 << 14, 480 | 3 << 14)) == (640, 480)


@pytest.mark.parametrize("data", [b"", b"\x10", header(640, 480)[:9], b"\x10\x00\x00\x9d\x01\x2b" + bytes(9)])
def test_a_key_frame_without_a_header_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match="header"):
        key_frame_size(data)


def test_large_pictures_never_reach_the_decoder() -> None:
    kept = Kept()
    kept.put(header(640, 480), INTER, header(12000, 12000), INTER, header(640, 480))
    assert kept.refused == [(12000, 12000)]
    assert kept.got() == []  # what waited is let go of as well
    assert kept.gate.dropped == 5


def test_a_decoder_that_cannot_keep_up_costs_frames_and_no_memory() -> None:
    kept = Kept(depth=3)
    kept.put(header(640, 480), INTER, INTER)
    assert not kept.trouble.is_set()
    kept.put(*[INTER] * 1000)
    assert kept.trouble.is_set()  # the sender is asked for a key frame
    assert kept.got() == []
    kept.put(INTER, header(320, 240), INTER)
    assert kept.got() == [header(320, 240), INTER]
    assert kept.gate.dropped == 3 + 1000 + 1


def test_the_end_overtakes_what_waits() -> None:
    kept = Kept()
    kept.put(header(640, 480), INTER)
    kept.gate.put(None)
    assert kept.got() == [None]

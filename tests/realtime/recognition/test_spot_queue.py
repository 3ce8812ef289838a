from __future__ import annotations

import threading

import numpy as np

from mer_live.engines.representation.clip import Clip
from mer_live.realtime.recognition.spot_queue import SpotQueue, Waiting
from mer_live.realtime.types import Moment, Phase, Span, Spot

CLIP = Clip(np.zeros((2, 4, 4), np.uint8), np.arange(2), 0, 1, None)


def waiting(number: int, phase: Phase) -> Waiting:
    moment = Moment(0, 0)
    spot = Spot(number, phase, Span(moment, moment, None), 0.5, moment)
    return Waiting(spot, CLIP if phase in ("apex", "offset") else None, 0)


def drained(queue: SpotQueue) -> list[tuple[int, str]]:
    queue.close()
    items = []
    while (item := queue.get()) is not None:
        assert (item.clip is None) == (item.spot.phase in ("settled", "withdrawn"))
        items.append((item.spot.id, item.spot.phase))
    return items


def test_what_a_live_source_cannot_wait_for_ends_all_the_same() -> None:
    queue = SpotQueue(2, block=False)
    for item in (waiting(1, "apex"), waiting(1, "offset"), waiting(2, "apex"), waiting(2, "offset")):
        queue.put(item)
    queue.put(waiting(1, "settled"))
    assert queue.dropped == 2
    assert drained(queue) == [(1, "withdrawn"), (2, "apex"), (2, "offset"), (1, "settled")]


def test_a_file_waits_for_room() -> None:
    queue = SpotQueue(1, block=True)
    queue.put(waiting(1, "apex"))
    second = threading.Thread(target=queue.put, args=(waiting(2, "apex"),))
    second.start()
    first = queue.get()
    second.join(20)
    assert not second.is_alive()
    assert first is not None
    assert first.spot.id == 1
    assert queue.dropped == 0
    assert drained(queue) == [(2, "apex")]


def test_closing_frees_who_waits_for_room() -> None:
    queue = SpotQueue(1, block=True)
    queue.put(waiting(1, "apex"))
    second = threading.Thread(target=queue.put, args=(waiting(2, "apex"),))
    second.start()
    queue.close()
    second.join(20)
    assert not second.is_alive()

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.events import FINAL, GONE, PROVISIONAL, SETTLED

from mer_live.realtime.sinks import event_line
from mer_live.realtime.web.media.sdp import OfferError
from mer_live.realtime.web.visit.lifetime import Allowance
from mer_live.realtime.web.visit.messages import (
    Mark,
    MessageError,
    Mute,
    Ping,
    Stop,
    event_message,
    parse,
    parse_offer,
)
from mer_live.realtime.web.visit.outbox import Outbox


def test_the_messages_of_a_page() -> None:
    assert parse('{"v":1,"type":"ping","t":12.5}', 100) == Ping(v=1, type="ping", t=12.5)
    assert parse('{"v":1,"type":"mute","on":true}', 100) == Mute(v=1, type="mute", on=True)
    marked = parse('{"v":1,"type":"marker","text":"block 2"}', 100)
    assert marked == Mark(v=1, type="marker", text="block 2")
    assert parse('{"v":1,"type":"stop"}', 100) == Stop(v=1, type="stop")


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        "",
        "[]",
        "null",
        '{"v":2,"type":"stop"}',
        '{"v":1,"type":"exec"}',
        '{"v":1,"type":"ping","t":true}',
        '{"v":1,"type":"ping","t":1e999}',
        '{"v":1,"type":"ping","t":' + "9" * 60 + "}",
        '{"v":1,"type":"ping","t":-1}',
        '{"v":1,"type":"ping","t":1,"more":2}',
        '{"v":true,"type":"stop"}',
        '{"v":1.0,"type":"stop"}',
        '{"type":"stop"}',
        '{"v":1,"type":"mute","on":1}',
        '{"v":1,"type":"marker","text":""}',
        "[" * 90,
        '{"v":1,"type":"stop"}' + " " * 100,
    ],
)
def test_anything_else_is_refused(data: str | bytes) -> None:
    with pytest.raises(MessageError):
        parse(data, 100)


def test_a_number_of_400_digits_is_refused_like_any_other() -> None:
    with pytest.raises(MessageError):
        parse('{"v":1,"type":"ping","t":' + "9" * 400 + "}", 1024)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'{"sdp": 5}',
        b'{"sdp": "v=0", "video": {"width": true, "height": 480}}',
        b'{"sdp": "v=0", "video": {"width": 640, "height": 1e400}}',
        b'{"sdp": "v=0", "video": {"width": 640}}',
        b'{"sdp": "v=0", "also": 1}',
        b'{"sdp": "' + b"x" * 101 + b'"}',
        b"\xff\xfe",
    ],
)
def test_an_offer_has_a_description_and_perhaps_a_size(body: bytes) -> None:
    with pytest.raises(OfferError):
        parse_offer(body, 100)


@settings(max_examples=60)
@given(st.text() | st.dictionaries(st.sampled_from(["v", "type", "on", "t"]), st.text()).map(json.dumps))
def test_no_text_raises_anything_but_message_error(data: str) -> None:
    with contextlib.suppress(MessageError):
        parse(data, 1000)


def test_an_event_travels_as_the_record_that_every_sink_writes() -> None:
    for item in (PROVISIONAL, FINAL, SETTLED, GONE):
        sent = json.loads(event_message(item, 5))
        assert (sent.pop("v"), sent.pop("run")) == (1, 5)
        assert sent == event_line(item)


class Wire:
    """A data channel that takes ``room`` more bytes."""

    def __init__(self, room: int) -> None:
        self.readyState, self.room = "open", room
        self.sent: list[str] = []

    @property
    def bufferedAmount(self) -> int:
        return 0 if self.room > 0 else 10**9

    def send(self, data: str) -> None:
        self.sent.append(data)
        self.room -= len(data)


def test_a_page_that_does_not_read_costs_a_bounded_number_of_messages() -> None:
    wire = Wire(0)
    box = Outbox(wire, most_messages=4, most_bytes=10)
    for k in range(1000):
        box.put(f"event {k}")
        box.put_state(f"state {k}")
        assert box.waiting <= 5
    assert wire.sent == []
    assert box.dropped == 996 + 999
    wire.room = 10**6
    box.flush()
    assert wire.sent == ["event 996", "event 997", "event 998", "event 999", "state 999"]
    box.put("next")
    assert wire.sent[-1] == "next"


def test_nothing_is_written_to_a_channel_that_is_not_open() -> None:
    wire = Wire(100)
    wire.readyState = "connecting"
    box = Outbox(wire, 4, 10)
    box.put("hello")
    assert wire.sent == []
    wire.readyState = "open"
    box.flush()
    assert wire.sent == ["hello"]


def test_nothing_comes_after_the_last_word() -> None:
    wire = Wire(1)
    box = Outbox(wire, 4, 10)
    box.put("event")
    box.put_state("state")
    box.put_last("bye")
    box.put_state("late")
    box.put("later")
    wire.room = 10
    box.flush()
    assert wire.sent == ["event", "bye"]


def test_an_allowance_is_spent_and_comes_back() -> None:
    allowance = Allowance(10)
    assert [allowance.take(0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert allowance.take(200_000_000)
    assert allowance.take(300_000_000)
    assert sum(allowance.take(10**12) for _ in range(50)) == 10

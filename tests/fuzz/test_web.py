"""What strangers send to ``mer-web``: offers that were mutilated, and messages that no page would send.

What must hold: an answer of one line that is no failure of the server, nothing in its log, nobody left behind, memory
that does not grow, and a good visitor who is served afterwards as before.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

import psutil
import pytest
from aiohttp.test_utils import TestClient
from aiortc import MediaStreamTrack
from av import VideoFrame
from hypothesis import given
from hypothesis import strategies as st
from support.fuzzing import CASES, cases
from support.web_client import counted, emptied, serving

from mer_live.benchmarks.web.visitor import Visitor, post_offer
from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.server import Site
from mer_live.realtime.web.visit.messages import MessageError, Stop, parse

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # aiortc does, in its thread

CONFIG = WebConfig(half_open=100, sessions=100, messages_per_s=1_000_000, silence_s=600.0, idle_s=600.0)
_GROWTH = (100 << 20) + CASES * (20 << 10)
"""Bytes by which the process, server and strangers together, may grow: 200 MB over 5,000 cases."""
_NUMBERS = itertools.count(1)


class Still(MediaStreamTrack):  # type: ignore[misc]  # aiortc is untyped here
    """A camera that never gives a picture: nothing is to be analysed."""

    kind = "video"

    async def recv(self) -> VideoFrame:
        await asyncio.Event().wait()


class Listener(logging.Handler):
    """Keeps what is logged as an error, or with a traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or (record.exc_info and record.levelno >= logging.INFO):
            self.heard.append(self.format(record))


class Served:
    """A server on the loopback in a thread of its own, and a good visitor."""

    def __init__(self, loop: asyncio.AbstractEventLoop, site: Site, http: TestClient[Any, Any]) -> None:
        self.loop, self.site, self.http = loop, site, http
        self.visitor: Visitor | None = None
        self.offer = ""
        """What a good visitor sends."""

    def run(self, work: Coroutine[Any, Any, Any], s: float = 120) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(s)

    async def welcome(self) -> Visitor:
        """A good visitor, connected and heard; the same one as long as it is."""
        if self.visitor is None or self.visitor.closed.is_set():
            visitor = Visitor(self.http, Still(), kept=64)
            status, _ = await visitor.offer()
            assert status == 200
            await visitor.until("hello")
            self.offer = visitor.pc.localDescription.sdp
            self.visitor = visitor
        await self.ping(self.visitor)
        return self.visitor

    async def ping(self, visitor: Visitor) -> None:
        """Everything that was sent before has been read."""
        number = float(next(_NUMBERS))
        visitor.send(type="ping", t=number)
        await visitor.until("pong", lambda message: message["t"] == number)

    async def empty(self) -> None:
        """Nobody is left."""
        for connection in list(self.site.sessions._connections.values()):
            connection.end("gone")
        await emptied(self.site, 60)
        if self.visitor is not None:
            await self.visitor.close()
            self.visitor = None


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    ready, listener = threading.Event(), Listener()
    told: list[str] = []
    found: list[Served] = []
    done = asyncio.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(str(context)))
        async with serving(CONFIG) as (site, http):
            found.append(Served(loop, site, http))
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="served")
    logging.getLogger().addHandler(listener)
    thread.start()
    try:
        assert ready.wait(60)
        one = found[0]
        one.run(one.welcome())
        one.run(one.empty())
        before = psutil.Process().memory_info().rss  # what the first visitor loads is no growth
        yield one
        one.run(one.welcome())
        one.run(one.empty())
        assert psutil.Process().memory_info().rss - before < _GROWTH
    finally:
        for one in found:
            one.loop.call_soon_threadsafe(done.set)
        thread.join(60)
        logging.getLogger().removeHandler(listener)
    assert listener.heard == []
    assert told == []


async def post(served: Served, body: bytes) -> tuple[int, dict[str, Any]]:
    """An offer and its answer; whoever was let in is gone afterwards."""
    status, answer = await post_offer(served.http, body)
    if status == 200:
        await served.empty()
    return status, answer


def check(status: int, answer: dict[str, Any]) -> None:
    if status == 200:
        assert answer["sdp"].startswith("v=0")
        return
    assert status in (400, 413)
    assert set(answer) == {"error", "message"}
    assert 0 < len(answer["message"]) < 200
    assert answer["message"].isprintable()


TOKENS = st.text(max_size=8) | st.sampled_from(
    [
        "0",
        "-1",
        "65536",
        "9" * 25,
        "::1",
        "192.0.2.1",
        "x.local",
        "%0a",
        "video",
        "VP8/90000",
        "nan",
        "a" * 9000,
    ]
)


@st.composite
def offers(draw: st.DrawFn, whole: str) -> str:
    """A description with lines dropped, doubled, moved, cut, and words of them replaced."""
    lines = whole.split("\r\n")
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "move", "cut", "word", "word", "word", "line"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "double":
                lines[at:at] = [lines[at]] * draw(st.integers(1, 60))
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
            case "cut":
                lines[at] = lines[at][: draw(st.integers(0, 12))]
            case "word":
                words = lines[at].replace(":", " : ").replace("=", " = ").split(" ")
                words[draw(st.integers(0, len(words) - 1))] = draw(TOKENS)
                lines[at] = " ".join(words).replace(" : ", ":").replace(" = ", "=")
            case "line":
                lines[at] = draw(st.text(max_size=40))
    return draw(st.sampled_from(["\r\n", "\r\n", "\n"])).join(lines)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@cases(0.1)
@given(data=st.data())
def test_mutilated_descriptions(served: Served, data: st.DataObject) -> None:
    sdp = data.draw(offers(served.offer))
    check(*served.run(post(served, json.dumps({"sdp": sdp}).encode())))
    assert len(served.site.sessions) == 0


@cases(0.05)
@given(data=st.data())
def test_offers_that_are_no_offer(served: Served, data: st.DataObject) -> None:
    size = st.fixed_dictionaries({}, optional={"width": JSON, "height": JSON, "depth": JSON})
    shaped = st.fixed_dictionaries(
        {"sdp": JSON | st.just(served.offer)}, optional={"video": size | JSON, "record": JSON, "more": JSON}
    )
    body = data.draw(
        st.binary(max_size=200) | (shaped | JSON).map(lambda value: json.dumps(value).encode()), label="body"
    )
    check(*served.run(post(served, body[: data.draw(st.none() | st.integers(0, 40))])))
    assert len(served.site.sessions) == 0


MESSAGE = st.fixed_dictionaries(
    {"v": st.just(1) | JSON, "type": st.sampled_from(["ping", "mute", "marker", "stop", "hello"]) | JSON},
    optional={
        "t": JSON | st.floats(),
        "on": JSON | st.booleans(),
        "text": JSON | st.text(max_size=1500),
        "more": JSON,
    },
)


def refused(data: str | bytes) -> bool:
    try:
        parse(data, CONFIG.message_bytes)
    except MessageError as error:
        assert str(error).isprintable()  # noqa: PT017  (either end is right)
        return True
    return False


def stops(data: str | bytes) -> bool:
    return not refused(data) and isinstance(parse(data, CONFIG.message_bytes), Stop)


@cases(0.1)
@given(
    st.lists(
        (st.text(max_size=80) | st.binary(max_size=80) | (MESSAGE | JSON).map(json.dumps)).filter(
            lambda data: not stops(data)
        ),
        max_size=8,
    )
)
def test_messages_that_no_page_sends(served: Served, messages: list[str | bytes]) -> None:
    async def send() -> int:
        visitor = await served.welcome()
        before = counted(served.site, "mer_messages_refused_total").get("", 0)
        for message in messages:
            visitor.channel.send(message)
        await served.ping(visitor)
        return int(counted(served.site, "mer_messages_refused_total").get("", 0) - before)

    assert served.run(send()) == sum(map(refused, messages))

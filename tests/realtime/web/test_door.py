"""The server as strangers reach it: raw bytes on a socket."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from OpenSSL import SSL
from support.web_client import SureRecognizer, serving
from typer.testing import CliRunner

from mer_live.benchmarks.web.visitor import post_offer
from mer_live.realtime.web import start
from mer_live.realtime.web.cli import app
from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.door import quiet
from mer_live.realtime.web.server import Site, serve

HOST = b"Host: localhost\r\n"
OFFER = b"POST /offer HTTP/1.1\r\n" + HOST + b"Origin: http://localhost\r\n"
TOKEN = "open-sesame"
RIGHT = b"Authorization: Bearer open-sesame\r\n"


@asynccontextmanager
async def listening(config: WebConfig) -> AsyncIterator[int]:
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(config, SureRecognizer(), None, stop, port.set_result))  # type: ignore[arg-type]
    try:
        yield await port
    finally:
        stop.set()
        await server


async def ask(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(20):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", head)
            assert length is not None
            return head + await reader.readexactly(int(length[1]))
    finally:
        writer.close()


ODD = [
    b"GET /%0aERROR%20root%20fake HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /static/%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /static/" + b"a" * 3000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /static/" + b"a" * 5000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /static/%ff%fe HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /static/\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /static/..%2f..%2fconfig.py HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET http://[::1 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET //[ HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: [\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 9000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 200 + b"\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: abc\r\n\r\n",
    b"NONSENSE\r\n\r\n",
    b"\x16\x03\x01\x00\xff",
    OFFER + b"Authorization: Bearer \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
    OFFER + RIGHT + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    OFFER + RIGHT + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
    OFFER + RIGHT + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    OFFER + RIGHT + b"Content-Length: 99999999\r\n\r\n{}",
    b"GET /metrics HTTP/1.1\r\n" + HOST + b"Authorization: Bearer \xff\xfe\r\n\r\n",
    b"DELETE / HTTP/1.1\r\n" + HOST + b"\r\n",
]


def test_every_odd_request_gets_a_refusal_of_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with listening(WebConfig(port=0, token=TOKEN, read_s=1)) as port:
            for data in ODD:
                head, _, body = (await ask(port, data)).partition(b"\r\n\r\n")
                assert head.split(b" ")[1].startswith(b"4"), (data[:60], head)
                assert b"nosniff" in head
                assert body.strip(), data[:60]
                assert len(body.splitlines()) == 1, data[:60]
            assert b"200 OK" in await ask(port, b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")

    with caplog.at_level(logging.INFO):
        asyncio.run(run())
    for record in caplog.records:
        assert record.levelno < logging.WARNING, record
        assert record.exc_info is None
        assert "\n" not in record.getMessage()


def test_a_failure_of_ours_logs_the_path_as_it_was_sent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with serving() as (site, http):
            monkeypatch.setattr(site.sessions, "figures", lambda: 1 / 0)
            async with http.get("/metrics?a=%0aroot:%20all%20is%20lost") as response:
                assert response.status == 500

    asyncio.run(run())
    record = next(r for r in caplog.records if r.name.startswith("mer_live"))
    assert "\n" not in record.getMessage()
    assert "%0a" in record.getMessage().lower()


def test_what_a_librarys_task_leaves_behind_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async def run(error: Exception) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(quiet)
        loop.call_exception_handler({"message": "Task exception was never retrieved", "exception": error})

    for error in (SSL.Error([("SSL routines", "", "protocol is shutdown")]), ValueError("a\nb")):
        asyncio.run(run(error))
    (record,) = (r for r in caplog.records if r.levelno >= logging.WARNING)
    assert "\n" not in record.getMessage()
    assert record.exc_info is None


def test_no_request_asks_the_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with listening(WebConfig(port=0)) as port:

            def refuse(*_: object) -> None:
                raise AssertionError("a name was looked up")

            for name in ("getfqdn", "gethostbyaddr", "gethostbyname", "getnameinfo", "getaddrinfo"):
                monkeypatch.setattr(socket, name, refuse)
            loop = asyncio.get_running_loop()
            for host, status in ((b"localhost", b"200"), (b"evil.example", b"403"), (b"", b"403")):
                with socket.socket() as one:
                    one.setblocking(False)
                    await loop.sock_connect(one, ("127.0.0.1", port))
                    line = b"Host: " + host + b"\r\n" if host else b""
                    await loop.sock_sendall(one, b"GET / HTTP/1.0\r\n" + line + b"\r\n")
                    assert (await loop.sock_recv(one, 64)).split(b" ")[1] == status
            monkeypatch.undo()

    asyncio.run(run())


def test_slow_sockets_are_closed_and_too_many_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    beginnings = (
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\n" + HOST,
        OFFER + RIGHT + b"Content-Length: 9\r\n\r\n{",
    )

    async def run() -> None:
        async with listening(WebConfig(port=0, token=TOKEN, read_s=0.5)) as port:
            ways = [await asyncio.open_connection("127.0.0.1", port) for _ in beginnings]
            for (_, writer), data in zip(ways, beginnings, strict=True):
                writer.write(data)
            async with asyncio.timeout(30):
                for reader, _ in ways:
                    await reader.read()  # to its end: the server has closed it
            for _, writer in ways:
                writer.close()
        async with listening(WebConfig(port=0, read_s=60, connections=8)) as port:
            ways = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
            assert b"200 OK" in await ask(port, b"GET /healthz HTTP/1.0\r\n" + HOST + b"\r\n")
            async with asyncio.timeout(30):
                for reader, _ in ways[:12]:
                    assert await reader.read() == b""
            for _, writer in ways:
                writer.close()

    asyncio.run(run())


def test_a_crowd_that_says_nothing_pushes_nobody_out_who_waits_for_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        asked, answer = asyncio.Event(), asyncio.Event()

        async def slow(site: Site, request: web.Request) -> web.Response:
            asked.set()
            await answer.wait()
            return web.json_response({})

        monkeypatch.setattr(Site, "about", slow)
        async with listening(WebConfig(port=0, read_s=60, connections=8)) as port:
            waiting = asyncio.create_task(ask(port, b"GET /about HTTP/1.0\r\n" + HOST + b"\r\n"))
            await asked.wait()
            ways = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
            assert b"200 OK" in await ask(port, b"GET /healthz HTTP/1.0\r\n" + HOST + b"\r\n")
            async with asyncio.timeout(30):
                for reader, _ in ways[:13]:
                    assert await reader.read() == b""
            answer.set()
            assert b"200 OK" in await waiting
            for _, writer in ways:
                writer.close()

    asyncio.run(run())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback has one address")
def test_a_crowd_makes_room_before_another_address_does() -> None:
    async def run() -> None:
        async with listening(WebConfig(port=0, read_s=60, connections=8)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
            crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
            assert b"200 OK" in await ask(port, b"GET /healthz HTTP/1.0\r\n" + HOST + b"\r\n")
            writer.write(b"GET /healthz HTTP/1.0\r\n" + HOST + b"\r\n")
            async with asyncio.timeout(30):
                assert b"200 OK" in await reader.read()
            for _, one in [(reader, writer), *crowd]:
                one.close()

    asyncio.run(run())


@pytest.mark.parametrize("token", ["a b+c%20d&e#f", "pässwörter", "鍵🔑鍵🔑鍵🔑鍵🔑", "x\x7fyyyyyyy"])
def test_a_token_may_hold_any_character(token: str) -> None:
    async def run() -> None:
        async with serving(WebConfig(token=token)) as (_, http):
            # As the page sends it, and wrong.
            for given, status in ((quote(token, safe=""), 400), (quote(token + "x", safe=""), 401)):
                answer = await post_offer(http, {"sdp": ""}, Authorization=f"Bearer {given}")
                assert answer[0] == status

    asyncio.run(run())


def make_pair(folder: Path, name: str, *more: str) -> tuple[Path, Path]:
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "1", "-subj", "/CN=localhost"]
    try:
        subprocess.run(
            [*command, *(more or ["-nodes"]), "-keyout", key, "-out", cert], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed: apt-get install openssl")
    return cert, key


def test_what_is_wrong_with_tls_is_said_in_one_sentence_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the engines were loaded")

    monkeypatch.setattr(start, "load_bundle", refuse)
    cert, key = make_pair(tmp_path, "one")
    other, _ = make_pair(tmp_path, "two")
    _, locked = make_pair(tmp_path, "locked", "-passout", "pass:secret")
    nothing, broken = tmp_path / "nothing.pem", tmp_path / "broken.pem"
    nothing.write_bytes(b"\xff\xfe")
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for pair, words in (
        ((nothing, key), ("nothing.pem", "not text")),
        ((key, cert), ("one.key", "no certificate")),
        ((cert, cert), ("one.pem", "no private key")),
        ((broken, key), ("broken.pem", "damaged")),
        ((other, key), ("one.key", "does not belong")),
        ((cert, locked), ("locked.key", "encrypted")),
    ):
        result = CliRunner().invoke(app, ["--cert", str(pair[0]), "--key", str(pair[1])])
        assert result.exit_code == 2, result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
        for word in words:
            assert word in result.stderr


def test_a_port_that_is_taken_is_told_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "load_bundle", lambda name: pytest.fail("the engines were loaded"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["--port", str(port)])
    assert result.exit_code == 1
    assert str(port) in result.stderr
    assert "--port" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0"])
@pytest.mark.parametrize("option", ["--idle", "--total", "--sensitivity", "--fps"])
def test_numbers_that_are_not_finite_are_refused(option: str, value: str) -> None:
    if (option, value) == ("--sensitivity", "0"):
        return
    result = CliRunner().invoke(app, ["--camera", "/dev/video99", option, value])
    assert result.exit_code == 2, result.stderr
